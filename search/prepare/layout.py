"""Lays out the space of a study around the trained parent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from search.prepare.channel_scores import score_channels
from search.prepare.cutting import ChannelRule, build_cutter, flops_function
from search.record.events import Say
from search.study.cuts import Criterion, Cut
from search.study.spaces.base import Layout, LayoutTools, SpaceSection
from search.trial.workbench import Workbench
from spaces.allocation.allocation import Cutter
from spaces.base import ArchSpec, Candidate
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from spaces.ranking.importance import best_first


@final
@dataclass(frozen=True)
class WorkbenchTools(LayoutTools):
    """The tools of a workbench around the trained parent."""

    bench: Workbench
    say: Say

    @property
    def parent(self) -> Parent:
        """The trained parent."""
        return self.bench.parent

    def rank_channels(self, criterion: Criterion, candidate: Candidate) -> Mapping[str, Sequence[int]]:
        """Return for each channel group the channels that a network keeps, the most important first."""
        return best_first(score_channels(self.bench, criterion, candidate))

    def cutter(self, cut: Cut, criterion: Criterion, multiple: int) -> Cutter:
        """Return what cuts the parent by a rule."""
        return build_cutter(self.bench, ChannelRule(cut, criterion, multiple), self.parent.as_candidate(), self.say)

    def flops_function(self) -> Callable[[ArchSpec], float]:
        """Return a function from a spec to its FLOPs."""
        return flops_function(self.parent)


def layout_of(section: SpaceSection, bench: Workbench, donors: Mapping[str, Donor], say: Say) -> Layout:
    """Return the space that a study names, around the trained parent.

    Raises:
        SpaceError: If the parent has nothing of what is to be searched.
    """
    return section.layout(WorkbenchTools(bench, say), donors)
