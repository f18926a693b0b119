"""Latencies on one target, with a meter whose figures and circumstances the test sets: load cannot be commanded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from objectives.device.activity import DeviceActivity
from objectives.device.target import Target
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import Latency, LatencyMeter, latency_of
from objectives.timing.timings import Block, Loading, Timings
from search.latency.local import IdleWait, LocalLatency
from search.latency.stored_latencies import contended_shapes, stored_key
from search.record.events import Event, Note
from search.store.base import Store
from search.store.entries import LatencyEntry, TargetEntry
from search.store.sql import open_store
from spaces.base import Candidate, CandidateError
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape
from tests.objectives.networks import candidate, half_width_parent
from tests.search.latency.source_contract import LatencySourceContract

TARGET = Target("onnxruntime", "cpu", "fp32", 96, 1, 1, "a CPU", "an engine", "yolov8n of some shape")
QUIET, BUSY = DeviceActivity(others_busy=0.01), DeviceActivity(others_busy=1.5)
REFERENCE_S = 0.010


def timings_of(ratio: float, circumstances: DeviceActivity) -> Timings:
    """Three loadings of a network so many times as slow as the reference; by wall time all takes twice as long."""

    def block(seconds: float) -> Block:
        return Block((seconds, seconds), (2 * seconds, 2 * seconds))

    reference, network = block(REFERENCE_S), block(REFERENCE_S * ratio)
    loading = Loading((reference, reference, reference), (network, network))
    return Timings((loading,) * 3, cpu_seconds=0.5, circumstances=circumstances)


@dataclass
class ScriptedMeter:
    """A meter to which the test says what it sees; of the circumstances the last stay.

    Attributes:
        asked: What was timed: `reference`, or a shape.
    """

    circumstances: list[DeviceActivity] = field(default_factory=lambda: [QUIET])
    ratio: float = 0.5
    target: Target = TARGET
    asked: list[str | Shape] = field(default_factory=list)
    broken: bool = False

    def device_is_idle(self) -> bool:
        raise AssertionError("the test says whether the device is idle")

    def reference_timings(self) -> Timings:
        self.asked.append("reference")
        return timings_of(1.0, self._now())

    def measure(self, candidate: Candidate, reference_ms: float, limit_ms: float | None = None) -> Latency:
        self.asked.append(Shape.of(candidate))
        if self.broken:
            raise CandidateError("it does not load")
        return latency_of(timings_of(self.ratio, self._now()), self.target, reference_ms)

    def _now(self) -> DeviceActivity:
        return self.circumstances.pop(0) if len(self.circumstances) > 1 else self.circumstances[0]


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


IDLE = IdleWait(sleep=lambda seconds: None, is_idle=lambda: True)


def local_latency(store: Store, meter: ScriptedMeter, **changes: object) -> LocalLatency:
    source = LocalLatency(store, meter, wait=IDLE)
    return replace(source, **changes)  # type: ignore[arg-type]  # field names, as replace() checks


def sized(imgsz: int) -> Candidate:
    """Networks of other shapes, as their image size belongs to the shape."""
    return replace(candidate(width=0.125), imgsz=imgsz)


def rebuilt(shape: Shape) -> Candidate:
    return sized(shape.imgsz)


STRUCTURE = sized(96).spec.parent


@pytest.mark.slow
class TestLocalLatency(LatencySourceContract):
    """The real meter, on this machine's CPU."""

    @pytest.fixture(scope="class")
    @classmethod
    def parent(cls) -> Parent:
        return half_width_parent(("a", "b"), imgsz=64)

    @pytest.fixture(scope="class")
    @classmethod
    def meter(cls, parent: Parent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LatencyMeter]:
        target = target_here(imgsz=parent.imgsz)
        with LatencyMeter(target, parent.candidate(), scratch=tmp_path_factory.mktemp("scratch")) as running:
            yield running

    @pytest.fixture
    def source(self, store: Store, meter: LatencyMeter) -> LocalLatency:
        return LocalLatency(store, meter, wait=IdleWait(tries=1))

    def test_the_reference_has_no_time_before_it_is_frozen(self, source: LocalLatency) -> None:
        with pytest.raises(LookupError, match=r"freeze_reference\(\) was not called"):
            _ = source.reference_ms


# -- the reference's time ----------------------------------------------------------------------------------------------


def test_the_references_time_is_measured_once_and_frozen_with_what_was_seen(store: Store) -> None:
    meter = ScriptedMeter()
    assert local_latency(store, meter).freeze_reference() == pytest.approx(10.0)
    assert local_latency(store, meter).freeze_reference() == pytest.approx(10.0)  # another process
    assert meter.asked == ["reference"]
    entry = store.target(TARGET.key)
    assert entry is not None
    assert (entry.contended, entry.circumstances) == (False, QUIET.as_plain())
    assert entry.description == TARGET.description()


def test_it_waits_for_an_idle_device(store: Store) -> None:
    waits: list[float] = []
    meter = ScriptedMeter([BUSY, BUSY, QUIET, BUSY])
    said: list[Event] = []
    source = local_latency(store, meter, wait=IdleWait(4, 6.0, waits.append), say=said.append)
    assert source.freeze_reference() == pytest.approx(10.0)
    assert (len(meter.asked), waits, said) == (3, [6.0, 6.0], [])


def test_on_a_busy_device_the_least_contended_time_is_frozen_and_the_user_is_told(store: Store) -> None:
    loads = [DeviceActivity(others_busy=busy) for busy in (1.9, 0.4, 1.2, 0.8)]
    said: list[Event] = []
    meter = ScriptedMeter(list(loads))
    assert local_latency(store, meter, say=said.append).freeze_reference() == pytest.approx(10.0)
    entry = store.target(TARGET.key)
    assert entry is not None and entry.contended and len(meter.asked) == 4
    assert entry.circumstances == loads[1].as_plain()
    (note,) = said
    assert isinstance(note, Note)
    assert note.line.startswith("other work ran while the reference was timed (10.0 ms on onnxruntime cpu fp32, 96 px")


def test_where_load_cannot_be_seen_the_first_time_is_taken(store: Store) -> None:
    meter = ScriptedMeter([DeviceActivity()])
    assert local_latency(store, meter).freeze_reference() == pytest.approx(10.0)
    assert len(meter.asked) == 1


# -- what is kept of a latency -----------------------------------------------------------------------------------------


def test_a_latency_is_the_ratio_times_the_frozen_reference_and_all_of_it_is_kept(store: Store) -> None:
    store.add_target(TargetEntry(TARGET.key, {}, 8.0))
    network = sized(96)
    measured = local_latency(store, ScriptedMeter()).latency(network)
    assert [measured.value, measured.ratio] == pytest.approx([4.0, 0.5])
    (entry,) = store.latencies(TARGET.key, blocks=True)
    assert entry.measurement == measured and entry.shape == Shape.of(network)
    assert (entry.p50_ms, entry.p99_ms, entry.reference_ms) == pytest.approx((5.0, 5.0, 10.0))  # as seen
    assert entry.other_ratio == pytest.approx(0.5) and entry.spread == pytest.approx(0.0)
    assert entry.circumstances == QUIET.as_plain()
    assert entry.blocks is not None and Timings.from_plain(entry.blocks) == timings_of(0.5, QUIET)


def test_a_shape_is_timed_once_and_carries_the_name_that_is_asked_for(store: Store) -> None:
    meter = ScriptedMeter()
    first = local_latency(store, meter).latency(sized(96))
    again = local_latency(store, meter, name="latency_ms.ort-cpu").latency(sized(96))
    assert (first.name, again) == ("latency_ms", replace(first, name="latency_ms.ort-cpu"))
    assert len(meter.asked) == 2  # the reference, and the network once


# -- measured again ----------------------------------------------------------------------------------------------------


def test_a_contended_latency_is_measured_again_when_the_device_is_idle(store: Store) -> None:
    meter = ScriptedMeter([QUIET, BUSY, QUIET])
    source = local_latency(store, meter)
    before = source.latency(sized(96))
    assert before.contended
    meter.ratio = 0.4
    assert not local_latency(store, meter, wait=replace(IDLE, is_idle=lambda: False)).remeasure_contended(
        STRUCTURE, rebuilt
    )
    assert source.latency(sized(96)) == before
    assert source.remeasure_contended(STRUCTURE, rebuilt)
    after = source.latency(sized(96))
    assert after.contended is False and after.ratio == pytest.approx(0.4)
    assert not source.remeasure_contended(STRUCTURE, rebuilt)
    assert len(store.latencies(TARGET.key)) == 2  # the first stays


def test_one_shape_is_measured_again_at_a_time_the_oldest_first_and_those_contended_again_last(store: Store) -> None:
    meter = ScriptedMeter([QUIET, BUSY])
    source = local_latency(store, meter)
    sizes = (64, 96, 128)
    for imgsz in sizes:
        source.latency(sized(imgsz))
    meter.asked.clear()
    done = [source.remeasure_contended(STRUCTURE, rebuilt) for _ in range(15)]
    # after each that was in vain it rests longer: on a machine that is never idle every try costs seconds
    assert [place for place, was in enumerate(done) if was] == [0, 2, 6, 14]
    assert [shape.imgsz for shape in meter.asked if isinstance(shape, Shape)] == [64, 96, 128, 64]


def test_the_device_is_not_checked_if_nothing_was_contended(store: Store) -> None:
    def never() -> bool:
        raise AssertionError("a look costs half a second")

    source = local_latency(store, ScriptedMeter(), wait=replace(IDLE, is_idle=never))
    source.latency(sized(96))
    assert not source.remeasure_contended(STRUCTURE, rebuilt)


def test_shapes_of_another_parent_predictions_and_old_entries_are_not_repeated(store: Store) -> None:
    source = local_latency(store, ScriptedMeter([BUSY]))
    contended = source.latency(sized(96))
    shape = Shape.of(sized(96))
    assert not source.remeasure_contended("another structure", rebuilt)
    old = LatencyEntry("of no known shape", TARGET.key, contended)
    predicted = LatencyEntry("p", TARGET.key, replace(contended, predicted=True), shape=shape)
    assert contended_shapes([old, predicted], STRUCTURE) == ()


def test_an_image_size_of_its_own_is_part_of_what_a_shape_is_stored_under() -> None:
    small, large = Shape.of(sized(96)), Shape.of(sized(128))
    assert (stored_key(small, TARGET), stored_key(large, TARGET)) == (small.key, f"{small.key} 128 px")
