"""Overview of a network by groups: their widths, and their parts of the parent's cost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spaces.base import ArchSpec
from spaces.display.group_rows import CLASSES, IMGSZ, GroupRow, Overview, PartialCost
from spaces.networks import checkpoint
from spaces.networks.cost_formula import Amounts, CostFormula, Counts
from spaces.networks.parent import Parent
from spaces.networks.weights import read_weights
from spaces.structure import stock
from spaces.structure.repeats import Detector
from spaces.structure.slicing import sizes_of
from spaces.structure.structure import Structure


def overview_of(
    what: str, *, model: str | None = None, classes: int | None = None, imgsz: int | None = None
) -> Overview:
    """Read a model YAML, weights or a checkpoint, and return its overview.

    Args:
        what: Name of an Ultralytics model YAML, a `.pt` or `.safetensors` file, or a checkpoint's folder.
        model: Name of the YAML, if the weights do not name one.
        classes: Class count, if the file does not give it.
        imgsz: Image size in px; by default the file's own.

    Raises:
        SpaceError: If there is no such model, or it cannot be cut.
    """
    path = Path(what)
    if os.path.isdir(path):
        candidate = checkpoint.load(path)
        network: Detector = candidate.network
        count = len(candidate.classes)
        structure = stock.structure_of(stock.resolve(network.yaml, count))
        title = f"{path.resolve().name} ({Path(network.yaml['yaml_file']).stem})"
        return overview(structure, candidate.spec, imgsz or candidate.imgsz, count, title)
    if path.suffix in (".pt", ".safetensors"):
        file = read_weights(path)
        parent = Parent.load(
            model, classes=file.classes or classes or CLASSES, imgsz=imgsz or file.imgsz or IMGSZ, weights=path
        )
        return overview(parent.structure, parent.full_spec(), parent.imgsz, len(parent.classes), path.name)
    structure = stock.structure_of(stock.resolve(what, classes or CLASSES))
    return overview(structure, structure.full_spec, imgsz or IMGSZ, classes or CLASSES, path.stem)


def overview(structure: Structure, spec: ArchSpec, imgsz: int, classes: int, title: str) -> Overview:
    """Return the overview of one spec of a structure."""
    formula = CostFormula.at(structure, imgsz)
    costs = formula.costs((structure.full_spec, spec))
    before, after = formula.parts(structure.full_spec), formula.parts(spec)
    parameters = np.stack([before.parameters, after.parameters], axis=1) / costs.parameters[0]
    flops = np.stack([before.flops, after.flops], axis=1) / costs.flops[0]
    gone = structure.groups_inside(spec.dropped)
    groups = tuple(
        GroupRow(
            group.name, group.section, group.stage, group.tie, group.width,
            0 if index in gone else len(spec.kept[index]), PartialCost(_pair(parameters[index]), _pair(flops[index])),
        )
        for index, group in enumerate(structure.groups)
    )  # fmt: skip
    rest = PartialCost(
        _pair(costs.parameters / costs.parameters[0] - parameters.sum(axis=0)),
        _pair(costs.flops / costs.flops[0] - flops.sum(axis=0)),
    )
    return Overview(
        title, classes, imgsz, groups, rest, _whole_layers(structure), structure.unknown_operations,
        tuple(repeat.name for repeat in structure.repeats), spec.dropped,
        _counts(costs.parameters), _counts(costs.flops),
    )  # fmt: skip


def _pair(values: Sequence[float] | Amounts) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _counts(values: Counts) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def _whole_layers(structure: Structure) -> tuple[str, ...]:
    """Return layers that make channels which are in no group, in the network's order."""
    in_groups: Counter[str] = Counter()
    for group in structure.groups:
        in_groups.update({m.module: len(m.positions) for m in group.members if m.side == "out"})
    found = []
    for (module, side), size in sizes_of(structure.network).items():
        if side == "out" and in_groups[module] < size and not module.endswith(".bn"):
            some = f" ({size - in_groups[module]} of {size})" if in_groups[module] else ""
            found.append(module.removesuffix(".conv") + some)
    return condensed(found)


def condensed(names: Sequence[str]) -> tuple[str, ...]:
    """Return dotted names, those that differ in one part joined into one: `a.0.x` and `a.1.x` are `a.{0,1}.x`."""
    split = [name.split(".") for name in names]
    for place in range(max(map(len, split), default=0)):
        variants: dict[tuple[str, ...], list[str]] = {}
        for parts in split:
            if place < len(parts):
                variants.setdefault((*parts[:place], "*", *parts[place + 1 :]), []).append(parts[place])
            else:
                variants[tuple(parts)] = []
        split = [_named(pattern, place, found) for pattern, found in variants.items()]
    return tuple(".".join(parts) for parts in split)


def _named(pattern: Sequence[str], place: int, found: Sequence[str]) -> list[str]:
    parts = list(pattern)
    if found:
        parts[place] = found[0] if len(found) == 1 else "{" + ",".join(found) + "}"
    return parts
