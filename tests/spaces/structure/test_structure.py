"""Groups that the tracer finds in stock detectors, and channels that it leaves whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import SpaceError
from spaces.networks.parent import Parent
from spaces.structure import stock
from spaces.structure.structure import Structure, derive
from spaces.structure.tracer import LabelTracer

# isort: split
from ultralytics.nn.tasks import yaml_model_load


def test_final_convolutions_and_dfl_are_in_no_group(parent: Parent) -> None:
    cut = {(member.module, member.side) for group in parent.groups for member in group.members}
    for level in range(3):
        assert (f"model.22.cv2.{level}.2", "in") in cut
        assert (f"model.22.cv2.{level}.2", "out") not in cut
        assert (f"model.22.cv3.{level}.2", "out") not in cut
    assert not any(module.startswith("model.22.dfl") for module, _ in cut)


def test_detect_towers_are_cuttable_inside(parent: Parent) -> None:
    towers = [group for group in parent.groups if group.section == "detect"]
    assert len(towers) == 12
    assert {group.stage for group in towers if ".cv3.1." in group.name} == {4}


def test_layers_have_sections_and_stages(parent: Parent) -> None:
    assert parent.layer_sections == ("backbone",) * 10 + ("neck",) * 12 + ("detect",)
    assert parent.layer_stages[:10] == (1, 2, 2, 3, 3, 4, 4, 5, 5, 5)
    assert parent.layer_stages[22] == 3


def test_a_residual_couples_its_two_ends(parent: Parent) -> None:
    group = next(group for group in parent.groups if group.name == "model.4.cv1:1")
    made_by = [member.module for member in group.members if member.side == "out" and member.module.endswith("conv")]
    assert made_by == ["model.4.cv1.conv", "model.4.m.0.cv2.conv", "model.4.m.1.cv2.conv"]
    assert group.members[0].positions == tuple(range(32, 64))
    assert group.tie == "model.4.cv1"


def test_sppf_reads_its_channels_four_times(parent: Parent) -> None:
    group = next(group for group in parent.groups if group.name == "model.9.cv1")
    reads = [member.positions[0] for member in group.members if member.module == "model.9.cv2.conv"]
    assert reads == [0, 128, 256, 384]


def test_the_width_of_attention_is_never_cut() -> None:
    parent = Parent.load("yolo11n.yaml", classes=3)
    cut: Any = parent.build(parent.spec({group.name: 1 for group in parent.groups})).network
    network: Any = parent.network
    attention, whole = cut.model[10].m[0].attn, network.model[10].m[0].attn
    for name, module in attention.named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.shape == whole.get_submodule(name).weight.shape


class _ReadsItsWidth(nn.Module):
    """A block that stores a width which is not updated by a cut."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.width = 32

    def forward(self, x: Tensor) -> Any:
        rows, _, height, width = x.shape
        return self.inner(x.reshape(rows, self.width, height, width))


def test_a_block_that_stores_its_width_is_detected_and_named(parent: Parent) -> None:
    network: Any = parent.candidate().network
    layer = network.model[2]
    network.model[2] = _ReadsItsWidth(layer)
    network.model[2].i, network.model[2].f = layer.i, layer.f
    with pytest.raises(SpaceError, match=r"layer model.2 \(_ReadsItsWidth\) cannot be cut: shape"):
        derive("some key", network)


class _Accumulates(nn.Module):
    """A layer with an operation that the tracer does not know."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.conv, self.i, self.f = layer.conv, layer.i, layer.f

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(x).cumsum(1)
        return made


def test_an_operation_that_the_tracer_does_not_know_is_named_and_keeps_its_channels_whole(parent: Parent) -> None:
    assert parent.structure.unknown_operations == ()
    network: Any = parent.candidate().network
    network.model[3] = _Accumulates(network.model[3])
    structure = derive("some key", network)
    assert structure.unknown_operations == ("aten.cumsum in model.3",)
    assert {group.name for group in parent.groups} - {group.name for group in structure.groups} == {"model.3"}


class _Net(nn.Module):
    """Two convolutions with something between them."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.second(self.between(self.first(x)))
        return made


@pytest.mark.parametrize(
    ("between", "fixed"),
    [
        (lambda x: torch.nn.functional.silu(x) + 0, False),
        (lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2), False),
        (lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(), False),
        (lambda x: x.flatten(2).transpose(1, 2).transpose(1, 2).reshape(x.shape), False),
        (lambda x: torch.stack([x, x]).sum(0), False),
        (lambda x: x + torch.ones(1, 8, 1, 1), True),  # one constant for each channel
        (lambda x: x.cumsum(1), True),  # an operation that mixes channels, unknown to the tracer
        (lambda x: torch.cat([x[:, 3:], x[:, :3]], 1), True),  # bounds written in the code
        (lambda x: x.reshape(1, 2, 4, 8, 8).transpose(1, 2).reshape(1, 8, 8, 8), True),  # channel shuffle
        (lambda x: x.softmax(1), True),
        (lambda x: functional.max_pool2d(x, 3, 1, 1), False),
        (lambda x: functional.max_pool2d(x.permute(0, 2, 3, 1), 3, 1, 1).permute(0, 3, 1, 2), True),  # over channels
        (lambda x: functional.pad(x, (1, -1)), False),
        (lambda x: functional.pad(x, (0, 0, 0, 0, 1, -1)), True),  # every channel moves to the next one's place
        (lambda x: x.clamp(0.0, 1.0), False),
        (lambda x: torch.clamp(torch.zeros(1, 8, 8, 8), min=x), True),
        (lambda x: functional.conv2d(x, x.mean((2, 3)).reshape(8, 1, 1, 1).repeat(1, 8, 1, 1)), True),
        (lambda x: functional.conv2d(torch.ones(1, 8, 8, 8), x.reshape(8, 8, 8, 1)[:, :, :1]), True),
        (lambda x: functional.batch_norm(torch.ones(1, 8, 8, 8), None, None, x.mean((0, 2, 3)), training=True), True),
    ],
)
def test_operations_that_keep_channels_apart_carry_labels_and_all_others_fix_them(
    between: Callable[[Tensor], Tensor], fixed: bool
) -> None:
    network = _Net(between).eval()
    tracer = LabelTracer(network, lambda: False)
    with torch.no_grad(), tracer:
        tracer.fix(network(torch.rand(1, 3, 8, 8)))
    made, read = tracer.uses["first", "out"], tracer.uses["second", "in"]
    assert all(tracer.book.is_fixed(label) == fixed for label in made.tolist())
    if not fixed:
        assert [tracer.book.find(a) for a in made.tolist()] == [tracer.book.find(b) for b in read.tolist()]


def test_the_structure_is_derived_once_per_process(parent: Parent) -> None:
    again = Parent.load("yolov8n", classes=3, seed=5)
    assert isinstance(again.structure, Structure)
    assert again.structure is parent.structure
    assert again.key == parent.key
    assert Parent.load("yolov8n", classes=4).key != parent.key
    assert Parent.load("yolov8s", classes=3).key != parent.key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scales": {"n": [1e6, 0.25, 1024]}}, "is scaled by 1000000.0; it must be above 0 and at most 8"),
        ({"scales": {"n": ["much", 0.25, 1024]}}, "is scaled by 'much'"),
        ({"scales": None, "depth_multiple": float("inf")}, "is scaled by inf"),
    ],
)
def test_a_model_that_would_exhaust_the_machine_is_refused(change: dict[str, Any], words: str) -> None:
    content = yaml_model_load("yolov8n.yaml")
    with pytest.raises(SpaceError, match=words):
        stock.resolve({**content, **change}, 3)
