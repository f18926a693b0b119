"""Plain block of convolutions of any width, and its latency, to find the width steps of a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from objectives.device.target import Target
from objectives.timing.meter import LatencyMeter
from objectives.timing.protocol import MeasuringBudget
from objectives.timing.timings import Timings
from spaces.base import Candidate
from spaces.networks.parent import Parent

REFERENCE_WIDTH = 64
WIDEST = 144
BUDGET = MeasuringBudget(budget_s=0.25)  # for one measurement: a width is measured several times

STAGE = 8  # stride of the stem: the feature map is smaller than the image by this factor
HEAD_WIDTH = 32  # wide enough that the file is above 0.1 MB: Ultralytics rejects smaller ones as damaged


def plain_block(width: int, imgsz: int) -> Candidate:
    """Return a detector with little more than two pairs of a 3x3 and a 1x1 convolution, width -> width.

    The feature map has an eighth of the image size. The block is a detector, so that every runtime exports it in the
    same way as candidates. It is cut from a wider one, because Ultralytics itself builds only multiples of 8.

    Args:
        width: Number of channels, from 1 to 144.
        imgsz: Image size in px, a multiple of 32.
    """
    parent = _widest(imgsz)
    kept = {group.name: width if group.section == "backbone" else HEAD_WIDTH for group in parent.groups}
    return parent.build(parent.spec(kept))


@cache
def _widest(imgsz: int) -> Parent:
    pair = [[-1, 1, "Conv", [WIDEST, 3, 1]], [-1, 1, "Conv", [WIDEST, 1, 1]]]
    backbone = [[-1, 1, "Conv", [WIDEST, 3, STAGE]], *pair, *pair]
    head = [[-1, 1, "Conv", [HEAD_WIDTH, 1, 4]], [[-1], 1, "Detect", ["nc"]]]
    model = {"yaml_file": "plain-block.yaml", "backbone": backbone, "head": head}
    return Parent.load(model, classes=1, imgsz=imgsz)


@contextmanager
def block_timer(target: Target, scratch: Path | None = None) -> Iterator[Callable[[int], Timings]]:
    """Provide a function that times the block of a width in turn with that of 64 channels, in a separate process.

    Args:
        scratch: Folder for exported files (default: the system's own), which are deleted afterwards.

    Raises:
        CandidateError: If the runtime does not run the block.
        TargetError: If the runtime cannot run here.
    """
    reference = plain_block(REFERENCE_WIDTH, target.imgsz)
    with LatencyMeter(target, reference, scratch=scratch, budget=BUDGET) as meter:
        yield lambda width: meter.time(plain_block(width, target.imgsz))
