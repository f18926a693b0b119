"""What a report is made of: one study as it is stored, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from search.findings.leaderboard import Row, leaderboard
from search.findings.selection import confirmed_study
from search.record.confirmation import Confirmation, ConfirmedStudy, remarks
from search.record.latency_text import LATENCY, further_names
from search.record.trial import Outcome, TrialRecord
from search.store.base import FrontEntry, Store, StudyEntry


@dataclass(frozen=True)
class StudyResults:
    """One study with its records and fronts, as stored.

    Attributes:
        records: In their order; finalists with their confirmed latency.
        fronts: The front each time it changed, oldest first; the last as the newest confirmation has it.
        settled: What the newest confirmation changed, and what the trials said of the finalists.
        target: What the latencies were measured on, with `reference_ms`; empty where that is not stored.
        further_targets: The same for those of the study's further targets, by the latency's name.
    """

    study: StudyEntry
    records: tuple[TrialRecord, ...]
    fronts: tuple[FrontEntry, ...]
    target: Mapping[str, object] = field(default_factory=dict)
    settled: ConfirmedStudy | None = None
    confirmation: Confirmation | None = None
    further_targets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def front(self) -> tuple[str, ...]:
        """Names of the records on the front as it stands."""
        return self.fronts[-1].members if self.fronts else ()

    @property
    def counted(self) -> int:
        """Finished trials without duplicates: what the study's total counts."""
        return sum(not r.is_reference and r.outcome is not Outcome.DUPLICATE for r in self.records)

    @property
    def limits(self) -> Mapping[str, float | None]:
        """The study's limits by objective."""
        return self.study.definition.get("limits") or {}

    def rows(self, split: str = "val") -> tuple[Row, ...]:
        """The leaderboard with one split's accuracy."""
        said = {} if self.settled is None else remarks(self.settled)
        return leaderboard(self.records, self.front, objectives=self.study.objectives, split=split, remarks=said)


def read_study_results(store: Store, study: StudyEntry, *, curves: bool = True) -> StudyResults:
    """Read a study from the store; `curves` as in `Store.records`."""
    settled = confirmed_study(store, study, curves=curves)
    fronts = store.fronts(study)
    if fronts:  # how the front grew stays as the trials had it; where it stands is settled
        fronts = (*fronts[:-1], replace(fronts[-1], members=settled.front))
    newest = next(reversed(store.confirmations(study)), None)
    records = settled.records
    further = {name: _target(store, records, name) for name in further_names(records)}
    return StudyResults(study, records, fronts, _target(store, records, LATENCY), settled, newest, further)


def _target(store: Store, records: Sequence[TrialRecord], name: str) -> Mapping[str, object]:
    """What the latencies of that name were measured on."""
    latencies = (record.measurement(name) for record in records)
    key = next((latency.target for latency in latencies if latency is not None and latency.target), None)
    entry = None if key is None else store.target(key)
    if entry is None:
        return {}
    load = {"reference_timed": "while other work was seen on the device"} if entry.contended else {}
    return {**entry.description, "reference_ms": entry.reference_ms, **load}
