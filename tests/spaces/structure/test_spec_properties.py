"""Properties that hold for any kept channels: a spec is canonical or refused, and the built network has its sizes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spaces.base import ArchSpec, SpaceError
from spaces.networks.parent import Parent
from spaces.structure.groups import Side, tied
from spaces.structure.structure import raw_outputs

BUILDS = settings(max_examples=10, deadline=None)  # a tenth of a second each, more where the machine is busy

FAMILIES = ("yolov8n", "yolov9t", "yolo26n")  # split halves; ADown and RepConv; attention, two heads


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Parent:
    return Parent.load(f"{request.param}.yaml", classes=3, imgsz=64)


def _kept(data: st.DataObject, parent: Parent) -> dict[str, list[int]]:
    """Any channels of any groups, in any order; ties keep equal widths."""
    random = data.draw(st.randoms(use_true_random=False))
    kept = {}
    for indices in tied(parent.groups).values():
        width = data.draw(st.integers(1, parent.groups[indices[0]].width))
        for index in indices:
            kept[parent.groups[index].name] = random.sample(range(parent.groups[index].width), width)
    return kept


def _remaining(parent: Parent, spec: ArchSpec) -> dict[tuple[str, Side], list[int]]:
    """Channels that each side of each layer keeps, straight from the definition of groups."""
    modules = dict(parent.network.named_modules())
    found: dict[tuple[str, Side], set[int]] = {}
    for group, kept in zip(parent.groups, spec.kept, strict=True):
        for member in group.members:
            tensor = modules[member.module].weight
            assert isinstance(tensor, torch.Tensor)
            left = found.setdefault((member.module, member.side), set(range(tensor.shape[member.side == "in"])))
            left -= {member.positions[channel] for channel in range(group.width) if channel not in kept}
    return {place: sorted(left) for place, left in found.items()}


@pytest.mark.slow
@BUILDS
@given(data=st.data())
def test_the_network_has_the_sizes_and_the_tensors_of_its_spec(family: Parent, data: st.DataObject) -> None:
    spec = family.spec(_kept(data, family))
    network = family.build(spec).network
    remaining = _remaining(family, spec)
    whole = family.network.state_dict()
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            continue
        for kind, tensor in module.state_dict().items():
            expected = whole[f"{name}.{kind}"]
            if tensor.ndim >= 1 and (name, "out") in remaining:
                expected = expected[remaining[name, "out"]]
            if tensor.ndim >= 2 and (name, "in") in remaining:
                expected = expected[:, remaining[name, "in"]]
            assert torch.equal(tensor, expected), f"{name}.{kind}"
        if isinstance(module, nn.Conv2d):
            assert module.out_channels == module.weight.shape[0], name
            assert module.in_channels == module.weight.shape[1] * module.groups, name
        else:
            assert module.num_features == module.weight.shape[0], name
    with torch.no_grad():
        shapes = [output.shape for output in raw_outputs(network, torch.rand(1, 3, 64, 64))]
        assert shapes == [output.shape for output in raw_outputs(family.network, torch.rand(1, 3, 64, 64))]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_order_in_which_channels_and_groups_are_named_does_not_matter(parent: Parent, data: st.DataObject) -> None:
    kept = _kept(data, parent)
    spec = parent.spec(kept)
    parent.check(spec)
    again = parent.spec({name: sorted(kept[name], reverse=True) for name in reversed(kept)})
    assert again == spec
    assert (again.key, again.shape_key) == (spec.key, spec.shape_key)
    assert parent.spec(dict(zip(spec.groups, spec.kept, strict=True))) == spec
    assert {name: list(spec.kept_in(name)) for name in kept} == {name: sorted(kept[name]) for name in kept}


@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(st.integers(-3, 70), max_size=8))
def test_channel_numbers_that_are_no_set_of_this_group_are_refused(parent: Parent, numbers: list[int]) -> None:
    if numbers and len(set(numbers)) == len(numbers) and set(numbers) <= set(range(64)):
        assert parent.spec({"model.3": numbers}).kept_in("model.3") == tuple(sorted(numbers))
    else:
        with pytest.raises(SpaceError, match=r"group 'model.3'"):
            parent.spec({"model.3": numbers})


@settings(max_examples=40, deadline=None)
@given(widths=st.tuples(st.integers(-2, 20), st.integers(-2, 20)))
def test_widths_are_those_asked_for_or_refused(parent: Parent, widths: tuple[int, int]) -> None:
    asked = dict(zip(("model.2.cv1:0", "model.2.cv1:1"), widths, strict=True))  # halves of one convolution, 16 each
    if widths[0] == widths[1] and 1 <= widths[0] <= 16:
        spec = parent.spec(asked)
        assert [len(spec.kept_in(name)) for name in asked] == list(widths)
    else:
        with pytest.raises(SpaceError, match=r"model.2.cv1"):
            parent.spec(asked)
