"""Cost by formulas: equal to the count on the built network, to the last digit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objectives.metrics.cost import Cost
from spaces.base import ArchSpec, SpaceError
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.structure.groups import tied
from tests.spaces.silencing import random_spec

FAMILIES = ("yolov5n", "yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n")


@pytest.fixture(scope="module")
def attention() -> Parent:
    return Parent.load("yolo11n.yaml", classes=5, imgsz=64)


@st.composite
def specs(draw: st.DrawFn, parent: Parent) -> ArchSpec:
    """Any widths, one channel included, and any bottlenecks dropped."""
    kept: dict[str, Sequence[int]] = {}
    for indices in tied(parent.groups).values():
        width = draw(st.integers(1, min(parent.groups[index].width for index in indices)))
        kept |= {parent.groups[index].name: range(width) for index in indices}
    return parent.spec(kept, dropped=draw(st.sets(st.sampled_from([repeat.name for repeat in parent.repeats]))))


def counted(parent: Parent, spec: ArchSpec) -> tuple[int, int]:
    """Parameters and FLOPs as torch counts them on the built network."""
    values = {entry.name: entry.value for entry in Cost(parent_parameters=1).measure(parent.build(spec))}
    return round(values["parameters"]), round(values["flops_g"] * 1e9)


def calculated(parent: Parent, spec: ArchSpec) -> tuple[int, int]:
    costs = CostFormula.of(parent).costs((spec,))
    return int(costs.parameters[0]), int(costs.flops[0])


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_formula_equals_the_count_of_torch_for_every_family(family: str) -> None:
    parent = Parent.load(f"{family}.yaml", classes=5, imgsz=64)
    cut = random_spec(parent, 0.6, seed=1)
    shortened = parent.structure.spec(cut.kept, [repeat.name for repeat in parent.repeats[::2]])
    assert calculated(parent, shortened) == counted(parent, shortened)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_the_formula_equals_the_count_of_torch_for_any_cut(parent: Parent, data: st.DataObject) -> None:
    spec = data.draw(specs(parent))
    assert calculated(parent, spec) == counted(parent, spec)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_the_formula_equals_the_count_of_torch_for_any_cut_around_attention(
    attention: Parent, data: st.DataObject
) -> None:
    spec = data.draw(specs(attention))
    assert calculated(attention, spec) == counted(attention, spec)


def test_many_specs_at_once_have_the_costs_of_each_alone(attention: Parent) -> None:
    names = [repeat.name for repeat in attention.repeats]
    many = [
        attention.structure.spec(random_spec(attention, 0.5, seed).kept, names[seed : seed + 2]) for seed in range(4)
    ]
    together = CostFormula.of(attention).costs(many)
    alone = [calculated(attention, spec) for spec in many]
    assert list(zip(together.parameters.tolist(), together.flops.tolist(), strict=True)) == alone
    assert len(set(alone)) == 4


def test_widths_alone_are_enough(parent: Parent) -> None:
    spec = random_spec(parent, 0.5, seed=3)
    costs = CostFormula.of(parent).of_widths(np.array([[len(kept) for kept in spec.kept], spec.widths]))
    assert int(costs.flops[0]) == calculated(parent, spec)[1]
    assert costs.flops[1] == calculated(parent, parent.full_spec())[1] > 2 * costs.flops[0]


def test_an_image_size_between_strides_is_rounded_up(parent: Parent) -> None:
    structure = parent.structure
    assert CostFormula.at(structure, 50) is CostFormula.at(structure, 64) is CostFormula.of(parent)
    larger, smaller = (CostFormula.at(structure, px).costs((parent.full_spec(),)) for px in (128, 64))
    assert larger.flops[0] == 4 * smaller.flops[0]  # v8n has convolutions alone: FLOPs go with the area
    assert larger.parameters[0] == smaller.parameters[0]


def test_a_spec_of_another_parent_is_refused(parent: Parent, attention: Parent) -> None:
    with pytest.raises(SpaceError, match=r"is of parent \w+, not of"):
        CostFormula.of(parent).costs((attention.full_spec(),))


def test_cutting_half_of_a_group_saves_its_part(parent: Parent) -> None:
    formula, whole = CostFormula.of(parent), np.array(parent.full_spec().widths)
    halves = np.stack([np.where(np.arange(len(whole)) == group, whole // 2, whole) for group in range(len(whole))])
    saved = formula.of_widths(whole[None]).flops - formula.of_widths(halves).flops
    assert formula.parts(parent.full_spec()).flops == pytest.approx(saved, rel=1e-12)  # sums of floats


def test_the_parts_of_all_groups_add_up_to_the_network_without_its_uncut_channels(parent: Parent) -> None:
    spec = parent.structure.spec(random_spec(parent, 0.5, seed=4).kept, [parent.repeats[1].name])
    parts = CostFormula.of(parent).parts(spec)
    parameters, flops = calculated(parent, spec)
    assert 0.95 < parts.parameters.sum() / parameters < 1  # whole stay the image, the last 1x1 convolutions and DFL
    assert 0.95 < parts.flops.sum() / flops < 1
    gone = parent.structure.groups_inside(spec.dropped)
    assert [index for index, part in enumerate(parts.flops) if part == 0] == sorted(gone) != []
