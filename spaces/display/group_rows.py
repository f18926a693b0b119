"""The groups of a network as rows of a table, each with its part of the parent's cost. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spaces.base import Section

SECTIONS: tuple[Section, ...] = ("backbone", "neck", "detect")
CLASSES, IMGSZ = 80, 640
"""Defaults if neither the user nor the file gives them: COCO's."""


@dataclass(frozen=True)
class PartialCost:
    """Part of a cost, in the parent and in the shown network.

    Attributes:
        parameters: Parameters in each, as shares of all parameters of the parent.
        flops: FLOPs in each, as shares of all FLOPs of the parent.
    """

    parameters: tuple[float, float]
    flops: tuple[float, float]


@dataclass(frozen=True)
class GroupRow:
    """Channel group as a row of the table.

    Attributes:
        width: Channels in the parent.
        kept: Channels in the network; 0 if the group lies in a dropped bottleneck.
    """

    name: str
    section: Section
    stage: int
    tie: str | None
    width: int
    kept: int
    part: PartialCost

    @property
    def is_deployed(self) -> bool:
        """True if the deployed parent has it: the head's second branch is for training alone."""
        return self.part.parameters[0] > 0


@dataclass(frozen=True)
class Overview:
    """Content that `spaces.show` prints and draws: the groups of a network, and its cost.

    Attributes:
        groups: Channel groups in the order in which the network makes them.
        stays_whole: Cost of channels that are in no group.
        repeats: Residual bottlenecks that can be left out; `dropped` are those that are.
        whole_layers: Layers that make channels which are in no group, `model.10.m.0.attn.{qkv,proj}`.
        parameters: Parameters of the deployed parent and of the deployed network.
        flops: FLOPs of both, for one image of `imgsz`.
    """

    title: str
    classes: int
    imgsz: int
    groups: tuple[GroupRow, ...]
    stays_whole: PartialCost
    whole_layers: tuple[str, ...]
    unknown_operations: tuple[str, ...]
    repeats: tuple[str, ...]
    dropped: tuple[str, ...]
    parameters: tuple[int, int]
    flops: tuple[int, int]

    @property
    def is_cut(self) -> bool:
        """True if any channel of the parent is cut or any bottleneck dropped."""
        return bool(self.dropped) or any(row.kept < row.width for row in self.groups)

    def section(self, name: Section) -> tuple[GroupRow, ...]:
        """Return the groups of one section."""
        return tuple(row for row in self.groups if row.section == name)

    def section_part(self, name: Section) -> PartialCost:
        """Return the parameters and FLOPs of the groups of one section."""
        return total(row.part for row in self.section(name))


def total(parts: Iterable[PartialCost]) -> PartialCost:
    """Return the sum of parts."""
    table = np.array([(*part.parameters, *part.flops) for part in parts]).reshape(-1, 4).sum(axis=0).tolist()
    return PartialCost((table[0], table[1]), (table[2], table[3]))
