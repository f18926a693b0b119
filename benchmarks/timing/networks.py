"""Networks that the benchmark of latency measures: stock detectors with random weights, and irregular cuts of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from objectives.export.onnx_file import export_onnx
from spaces.base import ArchSpec, Candidate
from spaces.networks.parent import Parent
from spaces.structure.groups import tied

COCO_CLASSES = 80
CHANNEL_STEP = 8


def random_parent(family: str, imgsz: int) -> Parent:
    """Return a stock detector with random weights: latency does not depend on them."""
    return Parent.load(family, classes=COCO_CLASSES, imgsz=imgsz, seed=0)


def irregular_cuts(parent: Parent, count: int, *, seed: int, low: float = 0.25) -> list[ArchSpec]:
    """Return cuts in which every group keeps its own share of channels.

    In every second cut all widths are multiples of 8. A fourth of the cuts leave out some residual bottlenecks.
    """
    random = np.random.default_rng(seed)
    return [_irregular_cut(parent, random, CHANNEL_STEP if index % 2 else 1, low) for index in range(count)]


def _irregular_cut(parent: Parent, random: np.random.Generator, multiple: int, low: float) -> ArchSpec:
    centre = random.uniform(low, 1.0)  # mean share of the whole network; the groups are drawn around it
    widths = {}
    for indices in tied(parent.groups).values():
        share = float(np.clip(random.uniform(centre - 0.35, centre + 0.35), low, 1.0))
        for index in indices:
            widths[parent.groups[index].name] = scaled_width(parent.groups[index].width, share, multiple)
    leaves_out = random.random() < 0.25
    dropped = [repeat.name for repeat in parent.repeats if leaves_out and random.random() < 0.5]
    return parent.spec(widths, dropped=dropped)


def scaled_width(width: int, share: float, multiple: int) -> int:
    """Return the multiple that is nearest to this share of a width: at least one multiple, at most the width."""
    return int(min(width, max(multiple, round(width * share / multiple) * multiple)))


def export_once(candidate: Candidate, file: Path) -> Path:
    """Export a candidate to an ONNX file if the file does not exist yet; return the file."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        export_onnx(candidate, file.with_name("new-" + file.name)).rename(file)
    return file
