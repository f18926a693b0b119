"""What a report is made of: one study as it is stored, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search.leaderboard import Row, leaderboard
from search.record import TrialRecord
from search.store.base import FrontEntry, Store, StudyEntry


@dataclass(frozen=True)
class Findings:
    """What a report is made of: one study with its records and fronts, as stored."""

    study: StudyEntry
    records: tuple[TrialRecord, ...]
    fronts: tuple[FrontEntry, ...]

    @property
    def front(self) -> tuple[str, ...]:
        """Names of the records on the front as it stands."""
        return self.fronts[-1].members if self.fronts else ()

    @property
    def limits(self) -> Mapping[str, float | None]:
        """The study's limits by objective."""
        return self.study.definition.get("limits") or {}

    def rows(self, split: str = "val") -> tuple[Row, ...]:
        """The leaderboard with one split's accuracy."""
        return leaderboard(self.records, self.front, objectives=self.study.objectives, split=split)


def read_findings(store: Store, study: StudyEntry, *, curves: bool = True) -> Findings:
    """Read a study from the store; `curves` as in `Store.records`."""
    return Findings(study, store.records(study, curves=curves), store.fronts(study))
