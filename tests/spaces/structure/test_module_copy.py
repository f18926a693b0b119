"""A fast deep copy: it must be one that `copy.deepcopy` could have made."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.networks.parent import Parent
from spaces.structure.module_copy import copy_module
from tests.spaces.silencing import states_differ

CONTAINERS = (dict, list, set)


def is_alike(own: object, other: object) -> bool:
    """Return whether two attributes have the same type and value; of tensors and modules, the same shape and class."""
    if isinstance(own, Tensor) and isinstance(other, Tensor):
        return own.shape == other.shape and own.requires_grad == other.requires_grad
    if isinstance(own, dict) and isinstance(other, dict):
        return own.keys() == other.keys() and all(is_alike(own[key], other[key]) for key in own)
    return type(own) is type(other) and (isinstance(own, nn.Module) or vars_of(own) == vars_of(other))


def vars_of(value: object) -> object:
    return vars(value) if hasattr(value, "__dict__") else value


@pytest.mark.parametrize("model", ["yolov8n.yaml", "yolov9t.yaml", "yolo12n.yaml", "yolo26n.yaml"])
def test_a_copied_detector_equals_its_deep_copy_and_shares_nothing_with_it(model: str) -> None:
    network = Parent.load(model, classes=3, imgsz=64).network
    twin, expected = copy_module(network, {}), copy.deepcopy(network)
    assert states_differ(twin.state_dict(), expected.state_dict()) == []
    theirs = dict(expected.named_modules())
    for name, module in twin.named_modules():
        assert type(module) is type(theirs[name])
        assert list(vars(module)) == list(vars(theirs[name])), name
        for attribute, value in vars(module).items():
            assert is_alike(value, getattr(theirs[name], attribute)), f"{name}.{attribute}"
    own = {id(value): name for name, m in network.named_modules() for value in vars(m).values() if mutable(value)}
    assert [own[id(value)] for m in twin.modules() for value in vars(m).values() if id(value) in own] == []
    tensors = {tensor.data_ptr() for tensor in network.state_dict().values()}
    assert not tensors & {tensor.data_ptr() for tensor in twin.state_dict().values()}


def mutable(value: object) -> bool:
    return isinstance(value, (*CONTAINERS, nn.Module, Tensor))


def test_objects_in_the_memo_are_taken_instead_of_copied() -> None:
    layer = nn.Conv2d(3, 8, 1)
    weight = nn.Parameter(torch.zeros(4, 3, 1, 1))
    assert layer.bias is not None
    twin: Any = copy_module(layer, {id(layer.weight): weight})
    assert twin.weight is weight
    assert twin.bias is not layer.bias and torch.equal(twin.bias, layer.bias)


def test_a_layer_that_stands_in_two_places_stays_one() -> None:
    layer = nn.Linear(2, 2)
    twin: Any = copy_module(nn.Sequential(layer, nn.Sequential(layer), nn.ReLU()), {})
    assert twin[0] is twin[1][0] is not layer


class _Once(nn.Module):
    """A module that defines how it is copied."""

    def __deepcopy__(self, memo: dict[int, object]) -> _Once:
        return self


def test_a_class_that_defines_how_it_is_copied_is_copied_that_way() -> None:
    module = _Once()
    twin: Any = copy_module(nn.Sequential(module), {})
    assert twin[0] is module


def test_hooks_are_copied_and_later_hooks_are_not_shared() -> None:
    layer, calls = nn.Identity(), []
    layer.register_forward_hook(lambda *_: calls.append("before"))
    twin = copy_module(layer, {})
    layer.register_forward_hook(lambda *_: calls.append("after"))
    twin(torch.zeros(1))
    assert calls == ["before"]
