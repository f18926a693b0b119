"""A front as plots of two objectives each: the first objective against every other one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from objectives.base import Direction
from objectives.quantities import LATENCY_MS, quantity_named
from search.findings.leaderboard import spread_ms
from search.record.front import non_dominated
from search.record.trial import TrialRecord


@dataclass(frozen=True)
class Panel:
    """One plot of two objectives, each by its name and direction.

    Attributes:
        horizontal: Objective of the horizontal axis.
        vertical: Objective of the vertical axis.
        is_whole: Whether these are all objectives of the study.
    """

    horizontal: tuple[str, Direction]
    vertical: tuple[str, Direction]
    is_whole: bool

    @property
    def titles(self) -> tuple[str, str]:
        """Titles of the horizontal and the vertical axis."""
        return quantity_named(self.horizontal[0]).axis_title, quantity_named(self.vertical[0]).axis_title

    @property
    def unit(self) -> str:
        """Unit of the horizontal axis."""
        return quantity_named(self.horizontal[0]).unit

    def place(self, record: TrialRecord) -> tuple[float, float] | None:
        """Return the two values of a record, (horizontal, vertical); None if one of them was not measured."""
        x, y = record.value(self.horizontal[0]), record.value(self.vertical[0])
        return None if x is None or y is None else (x, y)

    def error(self, record: TrialRecord) -> float:
        """Return half the 95 % interval of its horizontal value; 0 for an exact one."""
        return (spread_ms(record) or 0.0) if self.horizontal[0] == LATENCY_MS.name else 0.0

    def edge(self, members: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
        """Return the members of a front that its staircase passes through, the best horizontal value first.

        With a third objective some members lie behind the staircase of the other two: they are better in the third.
        """
        placed = [(place, record) for record in members if (place := self.place(record)) is not None]
        if not self.is_whole:
            kept = non_dominated([place for place, _ in placed], (self.horizontal[1], self.vertical[1]))
            placed = [placed[index] for index in kept]
        placed.sort(key=lambda each: each[0][0], reverse=self.horizontal[1] is Direction.MAXIMIZE)
        return tuple(record for _, record in placed)


def panels_of(objectives: Sequence[tuple[str, Direction]]) -> tuple[Panel, ...]:
    """Return the plots of a study's objectives; one for two objectives."""
    first, *others = objectives
    return tuple(Panel(other, first, len(others) == 1) for other in others)


def kind_of(record: TrialRecord, front: Collection[str], parent: TrialRecord | None) -> str:
    """Return the kind of mark that a complete record is drawn with; a repeated training is drawn as a trial."""
    if record is parent:
        return "parent"
    if record.is_beside_trials and not record.is_repeated:
        return "reference"
    if not record.feasible:
        return "infeasible"
    return "front" if record.name in front else "trial"
