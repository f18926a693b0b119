"""Memory: the peak of small networks as counted by hand; less for a cut network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from objectives.metrics.cost import count_parameters
from objectives.metrics.memory import Memory, needed_bytes
from objectives.quantities import MIB
from spaces.base import Candidate, CandidateError
from spaces.networks.parent import Parent
from tests.objectives.metrics.objective_contract import ExactContract
from tests.objectives.networks import candidate

FLOAT = 4  # bytes
IMAGE = 3 * 8 * 8 * FLOAT
WIDE, NARROW = 4 * 8 * 8 * FLOAT, 8 * 4 * 4 * FLOAT
FIRST, SECOND = (4 * 3 * 9 + 4) * FLOAT, (8 * 4 * 9 + 8) * FLOAT


class TestMemory(ExactContract):
    @pytest.fixture
    def objective(self) -> Memory:
        return Memory()


class _Network(nn.Module):
    """Two convolutions, (3, 8, 8) to (4, 8, 8) to (8, 4, 4), and what a test does between them."""

    def __init__(self, forward: Callable[[_Network, Tensor], Any]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self._forward = forward

    def forward(self, image: Tensor) -> Any:
        return self._forward(self, image)


def activations(forward: Callable[[_Network, Tensor], Any]) -> int:
    """Bytes that a network needs beside its weights."""
    network = _Network(forward).eval()
    return needed_bytes(network, torch.zeros(1, 3, 8, 8)) - FIRST - SECOND


def test_input_and_output_of_an_operation_are_needed_at_once() -> None:
    assert activations(lambda net, x: net.second(net.first(x))) == max(IMAGE + WIDE, WIDE + NARROW)


def test_a_tensor_is_needed_until_its_last_use() -> None:
    def late(net: _Network, image: Tensor) -> Tensor:
        result: Tensor = net.second(net.first(image))
        return result.sum() + image.sum()

    scalar = FLOAT
    assert activations(late) == max(IMAGE + WIDE + NARROW, IMAGE + NARROW + scalar)


def test_what_is_held_by_name_and_never_read_again_is_not_needed() -> None:
    def holding(net: _Network, image: Tensor) -> Tensor:
        kept = [image, net.first(image)]
        result: Tensor = net.second(kept[1])
        return result + len(kept)

    assert activations(holding) == max(IMAGE + WIDE, WIDE + NARROW, 2 * NARROW)


def test_views_and_results_in_place_are_counted_once() -> None:
    def in_place(net: _Network, image: Tensor) -> Tensor:
        wide = net.first(image).relu_()
        result: Tensor = net.second(wide.flatten(2).view(1, 4, 8, 8))
        return result

    assert activations(in_place) == max(IMAGE + WIDE, WIDE + NARROW)
    assert activations(lambda net, x: net.second(net.first(x).relu())) == max(IMAGE + WIDE, 2 * WIDE)


def test_half_of_a_split_holds_the_whole_tensor() -> None:
    def split(net: _Network, image: Tensor) -> Tensor:
        left, _ = net.first(image).chunk(2, dim=1)
        return torch.mul(left, 2)

    assert activations(split) == max(IMAGE + WIDE, WIDE + WIDE // 2)


def test_of_several_outputs_the_first_one_is_deployed() -> None:
    def two(net: _Network, image: Tensor) -> tuple[Tensor, Tensor]:
        wide = net.first(image)
        return net.second(wide).sum(), wide

    assert activations(two) == max(IMAGE + WIDE, WIDE + NARROW)


def test_constants_are_needed_all_the_time() -> None:
    made: list[Tensor] = []

    def anchored(net: _Network, image: Tensor) -> Tensor:
        if not made:  # at the first image of this size
            made.append(torch.ones(100))
        result: Tensor = net.second(net.first(image)).sum() + made[0].sum()
        return result

    assert activations(anchored) == 100 * FLOAT + max(IMAGE + WIDE, WIDE + NARROW)


@pytest.mark.parametrize("model", ["yolov5nu.yaml", "yolov8n.yaml", "yolov10n.yaml", "yolo11n.yaml", "yolo26n.yaml"])
def test_a_cut_never_needs_more(model: str) -> None:
    parent = Parent.load(model, classes=2, imgsz=64)
    whole = {group.name: group.width for group in parent.groups}
    needed = [_mib(parent.candidate())]
    for share in (0.75, 0.5, 0.25):
        widths = {name: max(8, 8 * int(share * width / 8)) for name, width in whole.items()}
        needed.append(_mib(parent.build(parent.spec({name: min(w, whole[name]) for name, w in widths.items()}))))
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] < 0.3 * needed[0]  # at 64 px weights are most of it, and a quarter of the width a 16th of them


def test_a_larger_image_needs_more_activations_and_the_same_weights() -> None:
    small, large = (_mib(candidate(imgsz=imgsz)) for imgsz in (320, 640))
    # 16 x 320 x 320 floats twice at 640 px: the first convolution's output, and its activation's
    assert large - small == pytest.approx(0.75 * 2 * 16 * 320 * 320 * FLOAT / MIB, rel=0.05)
    assert small == pytest.approx((count_parameters(candidate()) + 2 * 16 * 160 * 160) * FLOAT / MIB, rel=0.01)


def test_a_network_that_does_not_run_is_the_candidates_fault() -> None:
    broken = Candidate(**{**vars(candidate()), "network": _with_wrong_input()})
    with pytest.raises(CandidateError, match="does not run on an image of 96 px"):
        Memory().measure(broken)


def _with_wrong_input() -> nn.Module:
    import copy

    broken = copy.deepcopy(candidate().network)
    first: Any = broken.model[0]  # type: ignore[index]
    first.conv = nn.Conv2d(4, first.conv.out_channels, 3, 2, 1, bias=False)
    return broken


def _mib(of: Candidate) -> float:
    (measured,) = Memory().measure(of)
    return measured.value
