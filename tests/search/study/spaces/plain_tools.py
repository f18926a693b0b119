"""What a section asks about the trained parent, answered without data: nothing is trained or measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from search.study.cuts import Criterion, Cut
from search.study.spaces.base import LayoutTools
from spaces.allocation.allocation import Cutter, cutter
from spaces.allocation.uniform import Uniform
from spaces.base import ArchSpec, Candidate
from spaces.networks.parent import Parent
from spaces.ranking.importance import best_first, scores


class PlainTools(LayoutTools):
    """Ranks by L2 magnitude and cuts uniformly, whatever is asked for; remembers which cuts were asked for."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self.cuts: list[str] = []

    @property
    def parent(self) -> Parent:
        return self._parent

    def rank_channels(self, criterion: Criterion, candidate: Candidate) -> Mapping[str, Sequence[int]]:
        return best_first(scores(candidate, self._parent))

    def cutter(self, cut: Cut, criterion: Criterion, multiple: int) -> Cutter:
        self.cuts.append(cut)
        return cutter(self._parent, Uniform(), multiple=multiple)

    def flops_function(self) -> Callable[[ArchSpec], float]:
        return lambda spec: float(sum(map(len, spec.kept)))
