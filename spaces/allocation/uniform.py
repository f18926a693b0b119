"""Uniform cut of every group: the plain method, and the control for all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from spaces.allocation.allocation import Allocation, cutter
from spaces.base import ArchSpec, Candidate
from spaces.networks.parent import Parent
from spaces.ranking.importance import Scores
from spaces.ranking.widths import aligned


@final
@dataclass(frozen=True)
class Uniform(Allocation):
    """Uniform allocation; the strength is the share of channels that stay in every group."""

    def widths(self, scores: Scores, strength: float, multiple: int) -> Mapping[str, int]:
        """Return the same share of every group."""
        return {name: aligned(len(of), strength, multiple) for name, of in scores.items()}


def uniform(parent: Parent, ratio: float, multiple: int = 8) -> ArchSpec:
    """Return the spec that keeps the same share of every group: its most important channels (L2 magnitude).

    Raises:
        SpaceError: If the ratio is not in (0, 1] or the multiple below 1.
    """
    return cutter(parent, Uniform(), multiple=multiple).spec(ratio)


def thin(candidate: Candidate, parent: Parent, ratio: float, multiple: int = 8) -> ArchSpec:
    """Cut uniformly again: keep this share of the channels that a candidate still has.

    Raises:
        SpaceError: If the ratio is not in (0, 1], the multiple below 1, or the candidate of another parent.
    """
    return cutter(parent, Uniform(), candidate, multiple).spec(ratio)
