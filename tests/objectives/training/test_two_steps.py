"""A cut network of each family learns: two steps with the real loss change all parameters that should change."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.networks.parent import Parent
from tests.spaces.silencing import random_spec
from tests.spaces.trained_look import make_look_trained, pictures

# isort: split
from ultralytics.nn.modules.conv import Conv

SIZES = (0.25, 0.45, 0.9)  # of objects, as a share of 128 px: one of each falls to each level of the head


def _batch(seed: int) -> dict[str, torch.Tensor]:
    """Return four images with three objects each, in the format of the loss."""
    random = torch.Generator().manual_seed(seed)
    sizes = torch.tensor(SIZES).repeat(4)[:, None].expand(-1, 2)
    centres = sizes / 2 + (1 - sizes) * torch.rand(12, 2, generator=random)
    return {
        "img": pictures(4, 128, random),
        "cls": torch.randint(0, 3, (12, 1), generator=random).float(),
        "bboxes": torch.cat([centres, sizes], 1),
        "batch_idx": torch.arange(4.0).repeat_interleave(3),
    }


def _guess_small_boxes(head: Any) -> None:
    """Let each level predict boxes of three strides: random weights predict 15, too large for objects on 128 px."""
    for towers in (head.cv2, getattr(head, "one2one_cv2", None) or ()):
        for tower in towers:
            if head.reg_max > 1:
                tower[-1].bias.data = -0.5 * torch.arange(head.reg_max).repeat(4)


@pytest.mark.parametrize("family", ["yolov5n", "yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n"])
def test_two_steps_move_every_parameter_of_a_cut_network_and_no_width(family: str) -> None:
    parent = Parent.load(f"{family}.yaml", classes=3, imgsz=128)
    make_look_trained(parent.network, seed=1)
    spec = random_spec(parent, 0.4, seed=1)
    network: Any = parent.build(spec).network.train()
    _guess_small_boxes(network.model[-1])
    before = copy.deepcopy(network.state_dict())
    learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    # Without an activation after it a shift is removed by the next layer's batch norm: its gradient is 0.
    linear = {
        f"{name}.bn.bias"
        for name, module in network.named_modules()
        if isinstance(module, Conv) and isinstance(module.act, torch.nn.Identity)
    }

    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    for seed in (0, 1):
        loss, _ = network.loss(_batch(seed))
        optimizer.zero_grad()
        loss.sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)  # as Ultralytics' trainer does
        optimizer.step()

    after = network.state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in after.values())
    assert {name for name in learning - linear if torch.equal(after[name], before[name])} == set()
    still = {name for name in before.keys() - learning if torch.equal(after[name], before[name])}
    assert still == {name for name in before if name.endswith("dfl.conv.weight")}  # statistics have moved
    assert any("one2one" in name for name in learning) == (family in ("yolov10n", "yolo26n"))
    # The widths of the modules as well as of the tensors: they are those of a second cut by the same spec.
    again = parent.build(spec).network.train()
    assert {name: x.shape for name, x in after.items()} == {name: x.shape for name, x in again.state_dict().items()}
    assert str(network) == str(again)
