"""What latency does to trials of `nas_head`: limits before any training, predictions, repeats, further targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch

from objectives.data.digit_scenes import write_digits
from objectives.device.activity import DeviceActivity
from objectives.timing.latency_model import Prediction
from search.latency.local import IdleWait, LocalLatency
from search.latency.predictor import MIN_MEASURED, LatencyPredictor, PredictedLatency
from search.latency.study_latencies import StudyLatencies
from search.prepare.preparation import Preparation, Prepared, Setting
from search.record.events import Event, Note, say_nothing
from search.record.folders import RunFolder
from search.record.trial import Outcome, TrialRecord
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler
from search.store.base import Store, StudyEntry
from search.store.entries import LatencyEntry
from search.store.sql import open_store
from search.study.definition import StudyDefinition, load_study
from search.study.faults import DefinitionError
from search.trial.evaluate import StudyTrials
from search.trial.plan import SearchPlan
from search.trial.workbench import Workbench
from search.work.worker import Worker
from spaces.base import ArchSpec, Origin, Parameter, ParamValue, Space
from spaces.structure.shape import Shape
from tests.search.latency.test_local import QUIET, ScriptedMeter
from tests.search.store.contract_latencies import LATENCY

pytestmark = pytest.mark.slow(file_s=70)

OVERRIDES = (
    "parent={model: yolov5n.yaml, recipe: {epochs: 1, batch: 8}}",
    "donors=[{name: one-shot, from: parent, ratio: 0.7}]",
    "controls=[]",
    "further_targets=[openvino-cpu]",
)
ELSEWHERE = "latency_ms.openvino-cpu"
UNREACHABLE_MS = 1e-3
BUSY = IdleWait(tries=1, is_idle=lambda: False)  # nothing is measured again, however idle this machine is


@dataclass(frozen=True)
class Ready:
    """A study whose references are made, with its tools open."""

    bench: Workbench
    plan: SearchPlan
    study: StudyEntry

    @property
    def store(self) -> Store:
        return self.bench.store

    def works(self, number: int, bench: Workbench | None = None, **changes: object) -> tuple[TrialRecord, OptunaStudy]:
        """Run one more trial by a worker, with other tools or another plan; its record, and Optuna's side."""
        plan = replace(self.plan, **changes)  # type: ignore[arg-type]  # field names, as replace() checks
        study = self.store.add_study(f"run {number}", {}, self.study.objectives)
        study = self.store.freeze(study, {"reference_point": [0.0, 100.0]})
        optuna = OptunaStudy("sqlite://", study.name, study.objectives, plan.parameters, make_sampler("random", number))
        trials = StudyTrials(bench or self.bench, plan)
        worker = Worker(self.store, study, optuna, trials, n_trials=1, deadline=None, say=say_nothing)
        assert worker.work() == "done"
        (record,) = self.store.records(study)
        return record, optuna


def defined(scenes: Path, *overrides: str) -> StudyDefinition:
    return load_study("nas_head", [*OVERRIDES, *overrides], data=scenes, imgsz=64, epochs=1)


def prepared_in(folder: RunFolder, definition: StudyDefinition, store: Store) -> AbstractContextManager[Prepared]:
    setting = Setting(folder=folder, device="cpu", scratch=folder.root / "scratch", idle_wait=BUSY)
    return Preparation(definition=definition, store=store, setting=setting).run()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_digits(tmp_path_factory.mktemp("data") / "scenes", scenes={"train": 16, "val": 8, "test": 8})


@pytest.fixture(scope="module")
def ready(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    torch.set_num_threads(1)
    folder = RunFolder(tmp_path_factory.mktemp("runs"))
    definition = defined(scenes)
    store = open_store("sqlite://")
    with prepared_in(folder, definition, store) as made:
        yield Ready(made.bench, made.plan, made.study)
    store.close()


def test_a_trial_over_its_limit_is_not_trained_and_the_sampler_is_told_by_how_much(ready: Ready, scenes: Path) -> None:
    limits = defined(scenes, f"objectives.latency.limit_ms={UNREACHABLE_MS}").upper_limits
    assert limits == {"latency_ms": UNREACHABLE_MS}
    record, optuna = ready.works(0, limits=limits)
    latency = record.measurement("latency_ms")
    assert latency is not None and latency.runs > 0 and not latency.predicted
    assert record.outcome is Outcome.RULED_OUT
    assert (record.rungs, record.evaluations, record.checkpoint) == ((), (), None)
    assert record.seconds["training"] == record.seconds["evaluation"] == 0.0
    excess = latency.value - UNREACHABLE_MS
    assert record.constraints == {"latency_ms": pytest.approx(excess)}
    (told,) = optuna.study.get_trials()
    assert told.constraints == {"latency_ms": pytest.approx(excess)}
    assert record.measurement(ELSEWHERE) is None  # no column is worth its time where the limit is missed


def test_further_targets_are_measured_of_reference_rows_and_of_trials_within_the_limits(ready: Ready) -> None:
    record, _ = ready.works(1, limits={"latency_ms": 1e3})
    assert record.outcome is Outcome.COMPLETE, record.reason
    rows = [*ready.store.records(ready.study), record]
    assert [row.name for row in rows] == ["parent", "one-shot", "trial 0"]
    for row in rows:
        own, other = row.measurement("latency_ms"), row.measurement(ELSEWHERE)
        assert own is not None and other is not None and own.target != other.target
        assert row.spec is not None and other.target is not None
        entry = ready.store.latency(row.spec.shape_key, other.target)
        assert entry is not None and replace(entry.measurement, name=ELSEWHERE) == other
        frozen = ready.store.target(other.target)
        assert frozen is not None and frozen.description["runtime"] == "openvino"


def test_a_further_target_that_cannot_run_here_is_refused_before_any_training(scenes: Path, tmp_path: Path) -> None:
    definition = defined(scenes, "further_targets=[openvino-cpu, torch-cpu-fp16]")  # torch has that on GPUs only
    store = open_store("sqlite://")
    with (
        pytest.raises(DefinitionError, match=r"further_targets\.1 \(torch-cpu-fp16\): target: torch cannot run here"),
        prepared_in(RunFolder(tmp_path), definition, store),
    ):
        pass
    assert store.studies() == ()
    store.close()


def test_a_network_that_does_not_run_on_a_further_target_has_no_latency_there(ready: Ready) -> None:
    said: list[Event] = []
    broken = LocalLatency(ready.store, ScriptedMeter(broken=True), ELSEWHERE, say=said.append)
    bench = replace(ready.bench, latencies=replace(ready.bench.latencies, further=(broken,)))
    record, _ = ready.works(2, bench)
    assert record.outcome is Outcome.COMPLETE and record.measurement(ELSEWHERE) is None
    assert said == [Note(f"{ELSEWHERE} is not measured: it does not load")]


# -- predictions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unbuilt(Space):
    """A space of which nothing may be built."""

    whole: Space

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        return self.whole.parameters

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        return self.whole.decode(params)

    def build(self, spec: ArchSpec, origin: Origin) -> NoReturn:
        raise AssertionError("what is too slow beyond doubt is not built")


def with_predictor(ready: Ready, meter: ScriptedMeter, predicted: PredictedLatency) -> Workbench:
    """Tools with a predictor that always says the same, on a target of its own with enough measurements."""
    source = LocalLatency(ready.store, meter, wait=BUSY)
    structure = ready.bench.parent.key
    for width in range(1, MIN_MEASURED + 1):
        shape = Shape(structure, (width,), (), 64)
        ready.store.add_latency(LatencyEntry(shape.key, meter.target.key, LATENCY, shape=shape))
    reference_ms = source.freeze_reference()
    ratios = Prediction(np.array([predicted.mean_ms / reference_ms]), np.array([predicted.sd_ms / reference_ms]))
    predictor = LatencyPredictor(
        store=ready.store, target=meter.target, reference_ms=reference_ms, structure=structure,
        fit=lambda entries: lambda shapes: ratios,
    )  # fmt: skip
    return replace(ready.bench, latencies=StudyLatencies(source=source, predictor=predictor))


def test_a_network_predicted_too_slow_is_neither_built_nor_timed_and_its_record_says_predicted(ready: Ready) -> None:
    meter = ScriptedMeter(target=replace(ScriptedMeter().target, device="first"))
    bench = with_predictor(ready, meter, PredictedLatency(7.3, 0.1))
    record, optuna = ready.works(3, bench, limits={"latency_ms": 5.0}, space=Unbuilt(ready.plan.space))
    assert (record.outcome, record.reason) == (Outcome.RULED_OUT, "predicted 7.30 ± 0.20 ms, limit 5")
    (latency,) = record.measurements
    assert latency.predicted and latency.runs == 0
    assert record.constraints == {"latency_ms": pytest.approx(2.3)}
    (told,) = optuna.study.get_trials()
    assert told.constraints == {"latency_ms": pytest.approx(2.3)} and "latency_ms" not in told.user_attrs
    assert [each for each in meter.asked if each != "reference"] == []
    assert record.spec is not None
    assert ready.store.latency(record.spec.shape_key, meter.target.key) is None


def test_a_network_that_may_be_fast_enough_is_measured_and_without_a_limit_nothing_is_predicted(ready: Ready) -> None:
    for number, (predicted, limits) in enumerate(
        [(PredictedLatency(5.2, 0.1), {"latency_ms": 5.0}), (PredictedLatency(99.0, 0.1), {})], start=4
    ):
        meter = ScriptedMeter(ratio=0.6, target=replace(ScriptedMeter().target, device=f"device {number}"))
        record, _ = ready.works(number, with_predictor(ready, meter, predicted), limits=limits)
        latency = record.measurement("latency_ms")
        assert latency is not None and not latency.predicted
        assert latency.value == pytest.approx(6.0)  # 0.6 of the scripted reference's 10 ms
        assert record.outcome is (Outcome.RULED_OUT if limits else Outcome.COMPLETE), record.reason


# -- repeats -----------------------------------------------------------------------------------------------------------


def test_before_its_training_a_trial_remeasures_one_contended_latency(ready: Ready) -> None:
    busy = DeviceActivity(others_busy=1.5)
    meter = ScriptedMeter([QUIET, busy, busy, QUIET], target=replace(ScriptedMeter().target, device="busy at first"))
    source = LocalLatency(ready.store, meter, wait=IdleWait(is_idle=lambda: True))
    latencies = replace(ready.bench.latencies, source=source, further=())
    bench = replace(ready.bench, latencies=latencies)
    parent = ready.bench.parent
    narrow = {parent.groups[0].name: 8}
    dropped = [parent.repeats[0].name]
    networks = [parent.build(spec) for spec in (parent.spec(narrow), parent.spec(narrow, dropped=dropped))]
    before = [bench.latencies.measure(network) for network in networks]
    assert all(each.contended for each in before)
    record, _ = ready.works(6, bench)
    shapes = [Shape.of(network) for network in networks]
    assert record.spec is not None
    own = Shape.of_spec(record.spec, 64)
    assert meter.asked[1:] == [*shapes, own, shapes[0]]  # its own, and the oldest, rebuilt to the last width
    assert bench.latencies.measure(networks[0]).contended is False
    assert bench.latencies.measure(networks[1]) == before[1]
    assert latencies.remeasure_contended(parent, most=16) == 1  # at the study's end: all that is left
    assert bench.latencies.measure(networks[1]).contended is False
