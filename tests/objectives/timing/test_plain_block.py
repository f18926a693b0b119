"""The plain block: as wide as asked, and timed in turn with its reference."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from objectives.runtimes.catalogue import target_here
from objectives.timing.plain_block import HEAD_WIDTH, block_timer, plain_block


def test_all_layers_but_the_head_have_exactly_the_width() -> None:
    candidate = plain_block(65, 96)
    convolutions = [module for module in candidate.network.modules() if isinstance(module, nn.Conv2d)]
    stem, body, seam = convolutions[0], convolutions[1:5], convolutions[5]
    assert (stem.in_channels, stem.out_channels) == (3, 65)
    assert [(each.in_channels, each.out_channels) for each in body] == [(65, 65)] * 4
    assert [each.kernel_size[0] for each in body] == [3, 1, 3, 1]
    assert (seam.in_channels, seam.out_channels) == (65, HEAD_WIDTH)


@pytest.mark.slow
def test_a_wider_block_takes_longer_and_the_reference_has_ratio_one(tmp_path: Path) -> None:
    target = target_here(imgsz=96)
    with block_timer(target, tmp_path) as timed:
        own, wide = timed(64).ratio("cpu").median, timed(128).ratio("cpu").median
    assert 0.7 < own < 1.4  # 1 plus noise: at 12 x 12 a run takes a third of a millisecond
    assert wide > 2 * own  # 4 times the work
    assert list(tmp_path.iterdir()) == []
