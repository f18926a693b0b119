"""The contents of a report: one stored study, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from search.findings.leaderboard import Row, leaderboard
from search.findings.parent_training import training_remarks
from search.findings.summary_sentence import summary_sentence
from search.record.confirmation import Confirmation, confirmation_summary
from search.record.confirmed_study import ConfirmedStudy, apply_confirmation, confirmation_remarks
from search.record.doubts import doubt_lines
from search.record.latency_text import LATENCY, further_names
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.store.entries import FrontEntry


@dataclass(frozen=True)
class StudyResults:
    """One stored study with its records and fronts.

    Attributes:
        records: In their stored order, with the latencies that follow from the newest confirmation.
        fronts: The front after each change, oldest first; the last one follows the newest confirmation.
        confirmed: The changes by the newest confirmation.
        target: Description of the latencies' target, with `reference_ms`; empty if it is not stored.
        further_targets: Descriptions of the further targets, by the latency's name.
    """

    study: StudyEntry
    records: tuple[TrialRecord, ...]
    fronts: tuple[FrontEntry, ...]
    target: Mapping[str, object] = field(default_factory=dict)
    confirmed: ConfirmedStudy | None = None
    confirmation: Confirmation | None = None
    further_targets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def front(self) -> tuple[str, ...]:
        """Names of the records on the present front."""
        return self.fronts[-1].members if self.fronts else ()

    @property
    def counted(self) -> int:
        """Number of trials that count toward the study's total: all that ended, without duplicates."""
        return sum(not r.is_reference and r.outcome is not Outcome.DUPLICATE for r in self.records)

    @property
    def limits(self) -> Mapping[str, float | None]:
        """The study's limits by objective."""
        return self.study.definition.get("limits") or {}

    @property
    def at_least(self) -> Mapping[str, float]:
        """The accuracies that the study asks for."""
        return self.study.definition.get("at_least") or {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines below the table: doubts about the data, the noise of training, a parent that needs more training."""
        trained = training_remarks(self.records, self.study.definition.get("copied_from"))
        return (*doubt_lines(self.study.frozen), *trained)

    @property
    def summary(self) -> str:
        """One sentence: the search against the networks by hand; empty if there is nothing to compare."""
        return summary_sentence(self.records, self.study.definition)

    @property
    def latency_line(self) -> str:
        """One line: the networks that were re-measured, and the change of all other latencies; or nothing."""
        if self.confirmation is None:
            return ""
        change = None if self.confirmed is None else self.confirmed.change
        return confirmation_summary(self.confirmation) + ("" if change is None else f"; {change.text()}")

    def rows(self, split: str = "val") -> tuple[Row, ...]:
        """Return the leaderboard with one split's accuracy."""
        remarks = {} if self.confirmed is None else confirmation_remarks(self.confirmed)
        return leaderboard(
            self.records,
            self.front,
            objectives=self.study.objectives,
            split=split,
            remarks=remarks,
            at_least=self.at_least,
        )


def read_study_results(store: Store, study: StudyEntry, *, curves: bool = True) -> StudyResults:
    """Read a study from the store; `curves` is that of `Store.records`."""
    newest = next(reversed(store.confirmations(study)), None)
    return study_results(store, study, store.records(study, curves=curves), newest)


def study_results(
    store: Store, study: StudyEntry, records: Sequence[TrialRecord], newest: Confirmation | None
) -> StudyResults:
    """Return the results of a study whose records are read already.

    Args:
        records: All records, in the order of adding.
        newest: The newest confirmation; None if there is none.
    """
    fronts = store.fronts(study)
    confirmed = apply_confirmation(records, fronts[-1].members if fronts else (), study.objectives, newest)
    if fronts:  # confirmation changes only the present front, not its history
        fronts = (*fronts[:-1], replace(fronts[-1], members=confirmed.front))
    records = confirmed.records
    further = {name: _target(store, records, name) for name in further_names(records)}
    return StudyResults(study, records, fronts, _target(store, records, LATENCY), confirmed, newest, further)


def _target(store: Store, records: Sequence[TrialRecord], name: str) -> Mapping[str, object]:
    """Return the description of the target of the latencies with that name."""
    latencies = (record.measurement(name) for record in records)
    key = next((latency.target for latency in latencies if latency is not None and latency.target), None)
    entry = None if key is None else store.target(key)
    if entry is None:
        return {}
    load = {"reference_timed": "while other work was seen on the device"} if entry.contended else {}
    return {**entry.description, "reference_ms": entry.reference_ms, **load}
