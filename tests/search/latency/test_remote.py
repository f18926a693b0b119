"""A study for another machine: latencies brought home count as measured, all others are predicted and say so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from objectives.base import Measurement
from objectives.device.target import Target
from search.latency.predictor import fit_of
from search.latency.remote import RemoteLatency, options_for, remote_latency
from search.latency.stored_latencies import stored_key
from search.measuring.shapes import pool_of
from search.store.base import Store
from search.store.entries import LatencyEntry, TargetEntry
from search.store.sql import open_store
from search.study.definition import load_study
from search.study.faults import DefinitionError
from search.study.sections import TargetSection
from spaces.base import Candidate
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape
from tests.objectives.networks import half_width_parent
from tests.search.latency.source_contract import LatencySourceContract, of_width

TARGET = Target(
    "onnxruntime", "cpu", "fp32", 96, 1, 1, "a board", "onnxruntime 1.23", reference="yolov8n 0", remote="jetson"
)
REFERENCE_MS = 20.0


@pytest.fixture(scope="module")
def parent() -> Parent:
    return Parent.load("yolov8n.yaml", classes=10, imgsz=96)


@pytest.fixture(scope="module")
def shapes(parent: Parent) -> tuple[Shape, ...]:
    return pool_of(load_study("nas_head"), parent)[:18]


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


def built(parent: Parent, shape: Shape) -> Candidate:
    return parent.build(parent.structure.spec(tuple(tuple(range(width)) for width in shape.widths), shape.dropped))


def share(parent: Parent, shape: Shape) -> float:
    own, whole = CostFormula.of(parent).costs((built(parent, shape).spec, parent.full_spec())).flops
    return float(own / whole)


def fill(store: Store, parent: Parent, shapes: tuple[Shape, ...], target: Target = TARGET) -> None:
    """Measurements on a machine whose time is that of FLOPs and a constant."""
    store.add_target(TargetEntry(target.key, target.description(), REFERENCE_MS))
    for shape in shapes:
        ratio = 0.2 + 0.8 * share(parent, shape)
        value = Measurement("latency_ms", ratio * REFERENCE_MS, "ms", runs=48, ratio=ratio, target=target.key)
        store.add_latency(LatencyEntry(stored_key(shape, target), target.key, value, shape=shape))


def test_shapes_that_were_measured_there_are_measured_and_others_predicted(
    store: Store, parent: Parent, shapes: tuple[Shape, ...]
) -> None:
    fill(store, parent, shapes[:16])
    structure = parent.structure
    source = remote_latency(
        store, TargetSection(remote="jetson"), TARGET, structure=structure.key, fit=fit_of(structure)
    )
    known, unknown = (source.latency(built(parent, shape)) for shape in (shapes[0], shapes[17]))
    assert not known.predicted
    assert known.value == pytest.approx(REFERENCE_MS * (0.2 + 0.8 * share(parent, shapes[0])))
    assert unknown.predicted and unknown.runs == 0 and unknown.target == TARGET.key
    assert unknown.low is not None and unknown.high is not None
    assert unknown.low < unknown.value < unknown.high
    # The synthetic machine is no real one: 15 % is far from a wrong unit, ratio or reference.
    assert unknown.value == pytest.approx(REFERENCE_MS * (0.2 + 0.8 * share(parent, shapes[17])), rel=0.15)
    assert len(store.latencies(TARGET.key)) == 16  # predictions are not stored as latencies


def test_too_few_measurements_are_refused_with_the_commands_that_make_them(
    store: Store, parent: Parent, shapes: tuple[Shape, ...]
) -> None:
    fill(store, parent, shapes[:15])
    structure = parent.structure
    with pytest.raises(
        DefinitionError, match=r"where 15 of the 16 .*yolofront bench --pack .*--unpack DIR --name jetson"
    ):
        remote_latency(store, TargetSection(remote="jetson"), TARGET, structure=structure.key, fit=fit_of(structure))
    with pytest.raises(DefinitionError, match=r"target\.remote is 'raspi', where none of the 16"):
        remote_latency(store, TargetSection(remote="raspi"), TARGET, structure=structure.key, fit=fit_of(structure))


def test_a_machine_measured_in_another_way_is_told(store: Store, parent: Parent, shapes: tuple[Shape, ...]) -> None:
    on_gpu = replace(TARGET, provider="cuda")
    fill(store, parent, shapes[:16], on_gpu)
    structure = parent.structure
    with pytest.raises(DefinitionError, match="provider is cuda there, cpu here"):
        remote_latency(store, TargetSection(remote="jetson"), TARGET, structure=structure.key, fit=fit_of(structure))
    assert options_for(on_gpu) == "-o target.remote=jetson -o target.provider=cuda"
    source = remote_latency(
        store, TargetSection(remote="jetson", provider="cuda"), TARGET, structure=structure.key, fit=fit_of(structure)
    )
    assert source.target == on_gpu


class TestRemoteLatency(LatencySourceContract):
    """Stored entries of another machine; the first network was measured there, the second was not."""

    @pytest.fixture(scope="class")
    @classmethod
    def parent(cls) -> Parent:
        return half_width_parent(("a", "b"), imgsz=96)

    @pytest.fixture(params=[0.5, 0.33])
    def share(self, request: pytest.FixtureRequest) -> float:
        return float(request.param)

    @pytest.fixture
    def source(self, store: Store, parent: Parent) -> RemoteLatency:
        fill(store, parent, tuple(Shape.of(of_width(parent, 0.5 + step / 32)) for step in range(16)))
        structure = parent.structure
        asked = TargetSection(remote="jetson")
        return remote_latency(store, asked, TARGET, structure=structure.key, fit=fit_of(structure))


def test_a_study_names_its_machine_in_its_definition() -> None:
    definition = load_study("nas_head", ["target.remote=jetson"])
    assert definition.target.remote == "jetson"
    assert definition.target.name == "jetson-ort-cpu"
    assert load_study("nas_head", ["target={remote: jetson}"]).target == definition.target
