"""Allocation: the width of every group when a network as a whole is cut by a given share. Used for baselines.

An allocation turns channel scores and one number, its strength, into widths; the best channels of each group are
kept. Where two allocations are to be compared, both are driven to the same cost (`at_share`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from spaces.base import ArchSpec, Candidate, SpaceError
from spaces.networks.parent import Parent
from spaces.ranking.importance import Scores, best_first, scores
from spaces.ranking.widths import select
from spaces.structure.groups import tied

HALVINGS = 24  # of the strength while a share is sought: far finer than any step of a width


class Allocation(ABC):
    """Rule that derives the widths of all groups from one number, the strength."""

    @abstractmethod
    def widths(self, scores: Scores, strength: float, multiple: int) -> Mapping[str, int]:
        """Return the width of each group. A greater strength keeps more: no group gets narrower.

        Args:
            strength: Number in (0, 1]; 1 keeps everything, less keeps less.
            multiple: Widths are multiples of this many channels, and at least one multiple (or all there are).
        """


@dataclass(frozen=True)
class Cutter:
    """Cut of one network by one allocation.

    Attributes:
        candidate: Network that is cut: the parent, or a donor for one more round.
        scores: Importance of its channels.
    """

    parent: Parent
    candidate: Candidate
    scores: Scores
    allocation: Allocation
    multiple: int = 8

    @cached_property
    def _orders(self) -> Mapping[str, tuple[int, ...]]:
        return best_first(self.scores)

    def spec(self, strength: float) -> ArchSpec:
        """Return the cut of that strength.

        Raises:
            SpaceError: If the strength is not in (0, 1].
        """
        if not 0 < strength <= 1:
            raise SpaceError(f"strength {strength} is not in (0, 1]; 1 keeps everything")
        if self.multiple < 1:
            raise SpaceError(f"multiple {self.multiple} is below 1")
        return self._of_widths(self.allocation.widths(self.scores, strength, self.multiple))

    def at_share(self, share: float, cost: Callable[[ArchSpec], float]) -> ArchSpec:
        """Return the weakest cut whose cost is at most this share of the network's present cost.

        Widths move in steps, and many groups move at once. The last step, which would be too much as a whole, is
        taken group by group in the network's order as long as the share allows, so that allocations are compared at
        equal cost. If even the narrowest cut costs more, it is returned.

        Args:
            cost: Returns the cost of a spec, in any unit; it falls with every width.

        Raises:
            SpaceError: If the share is not in (0, 1].
        """
        if not 0 < share <= 1:
            raise SpaceError(f"share {share} is not in (0, 1]; it is the share of the cost that stays")
        limit = share * cost(self.candidate.spec)
        low, high = 0.0, 1.0
        if cost(self.spec(high)) <= limit:
            return self.spec(high)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if cost(self.spec(middle)) <= limit else (low, middle)
        return self._filled(low, high, lambda spec: cost(spec) <= limit) if low else self.spec(high)

    def _filled(self, low: float, high: float, fits: Callable[[ArchSpec], bool]) -> ArchSpec:
        """Return the cut of the lower strength, with groups as wide as at the higher one as long as the whole fits."""
        narrow, wide = (dict(self.allocation.widths(self.scores, strength, self.multiple)) for strength in (low, high))
        best = self._of_widths(narrow)
        for indices in tied(self.parent.groups).values():
            names = [self.parent.groups[index].name for index in indices]
            wider = {**narrow, **{name: wide[name] for name in names}}
            if wider == narrow:
                continue
            spec = self._of_widths(wider)
            if not fits(spec):
                break
            narrow, best = wider, spec
        return best

    def _of_widths(self, widths: Mapping[str, int]) -> ArchSpec:
        kept = select(self.parent.groups, self._orders, widths)
        return self.parent.structure.spec(kept, self.candidate.spec.dropped)


def cutter(parent: Parent, allocation: Allocation, candidate: Candidate | None = None, multiple: int = 8) -> Cutter:
    """Return the cutter by magnitude (L2) of the parent, or of a donor for one more round.

    Raises:
        SpaceError: If the candidate is of another parent.
    """
    candidate = candidate or parent.as_candidate()
    return Cutter(parent, candidate, scores(candidate, parent), allocation, multiple)
