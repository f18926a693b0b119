"""Results of an arm: its records, its final networks, and the training behind them. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compounding.arms import FINAL_ROWS, SEARCH_ARMS, THINNER, database_of
from benchmarks.pruned_by_hand.made_networks import accuracy_of, latency_ms_of
from objectives.base import Direction
from objectives.quantities import FLOPS_G
from search.record.front import non_dominated
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.study.rows import BEST_F1, PARENT_NAME

SHARE_SEPARATOR = " to "
"""Part of the name of a thinner cut: `H1 to 0.75`."""


@dataclass(frozen=True)
class Training:
    """Training after the parent.

    Attributes:
        epochs: Epochs; each has as many image passes as there are training images.
        flop_epochs: Epochs weighted by the FLOPs of their network, as a share of the parent's.
        seconds: Seconds of training.
        work_s: Seconds of all work: also building, latency and scoring.
    """

    epochs: int
    flop_epochs: float
    seconds: float
    work_s: float


@dataclass(frozen=True)
class ArmRecords:
    """The records of an arm's study.

    Attributes:
        elsewhere: Records of the other studies of the same database: they hold the seconds of rounds that were
            trained for another arm.
    """

    arm: str
    records: tuple[TrialRecord, ...]
    elsewhere: tuple[TrialRecord, ...] = ()

    @property
    def parent(self) -> TrialRecord:
        """The parent's row."""
        return next(record for record in self.records if record.name == PARENT_NAME)

    @property
    def final(self) -> TrialRecord | None:
        """The last network of an arm that ends with one; None if it is not made yet."""
        return next((record for record in self.records if record.name == FINAL_ROWS.get(self.arm)), None)

    def networks(self) -> list[TrialRecord]:
        """Return the networks that the arm ends with: one, the front of a search, or all thinner cuts."""
        if self.arm in SEARCH_ARMS:
            return front_of(self.records)
        if self.arm == THINNER:
            return [record for record in self.records if SHARE_SEPARATOR in record.name]
        return [] if self.final is None else [self.final]

    def training(self) -> Training:
        """Return the training of the arm: all of a search's, or that of the line of its last network."""
        if self.arm in SEARCH_ARMS or self.arm == THINNER:
            return training_of(self._own(), self.records, self.parent)
        final = [] if self.final is None else [self.final]
        return training_of(final, (*self.records, *self.elsewhere), self.parent)

    def _own(self) -> list[TrialRecord]:
        return [each for each in self.records if each.name != PARENT_NAME and not each.name.endswith(BEST_F1)]


def storage_of(folder: Path, arm: str) -> str:
    """Return the URL of an arm's database."""
    return f"sqlite:///{folder / database_of(arm)}.db"


def mark_file(folder: Path, arm: str) -> Path:
    """Return the file that says that an arm has ended: its database does not."""
    return folder / f"{arm}.done"


def read_arm(folder: Path, arm: str) -> ArmRecords | None:
    """Return the records of an arm; None if its study was not begun."""
    if not (folder / f"{database_of(arm)}.db").exists():
        return None
    store = open_store(storage_of(folder, arm))
    try:
        found = store.latest_study(arm)
        if found is None:
            return None
        records = store.records(found)
        known = any(record.name == PARENT_NAME for record in records)
        return ArmRecords(arm, records, tuple(_elsewhere(store, found))) if known else None
    finally:
        store.close()


def _elsewhere(store: Store, study: StudyEntry) -> Iterator[TrialRecord]:
    for other in store.studies():
        if other.id != study.id:
            yield from store.records(other)


def front_of(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the front of a search by accuracy on val and latency: its trials, polished trials and donors."""
    rivals = [record for record in records if _is_found(record)]
    values = [(accuracy_of(record), latency_ms_of(record)) for record in rivals]
    if not rivals:
        return []
    return [rivals[place] for place in non_dominated(values, (Direction.MAXIMIZE, Direction.MINIMIZE))]


def _is_found(record: TrialRecord) -> bool:
    beside = record.name == PARENT_NAME or record.is_repeated or record.name.endswith(BEST_F1)
    known = record.outcome is Outcome.COMPLETE and record.checkpoint is not None
    return known and not beside and math.isfinite(latency_ms_of(record)) and accuracy_of(record) > 0


def ratio_of(record: TrialRecord) -> float:
    """Return the latency relative to the reference network, which compares databases; infinite if it is unknown."""
    latency = record.measurement(LATENCY)
    return math.inf if latency is None or latency.ratio is None else latency.ratio


def training_of(records: Iterable[TrialRecord], known: Sequence[TrialRecord], parent: TrialRecord) -> Training:
    """Return the training of these records and of all their ancestors, each training counted once.

    Args:
        known: Records that may be ancestors.
    """
    records = list(records)
    flops = {each.checkpoint: _flops(each) for each in known if each.checkpoint is not None}
    whole, weighted = _flops(parent), dict[str, tuple[int, float]]()
    unsaved = [record for record in records if record.checkpoint is None]
    for record in records:
        before = whole  # training with sparsity has no row: its network is the one before it in the line
        for ancestor in record.line:
            before = flops.get(ancestor.checkpoint, before)
            weighted[ancestor.checkpoint] = (ancestor.epochs, before)
    stopped = [(record.epochs, _flops(record)) for record in unsaved]
    parts = [*weighted.values(), *stopped]
    timed = [*_timed(known, weighted), *unsaved]
    return Training(
        epochs=sum(epochs for epochs, _ in parts),
        flop_epochs=sum(epochs * each / whole for epochs, each in parts),
        seconds=sum(each.seconds.get("training", 0.0) for each in timed),
        work_s=sum(sum(each.seconds.values()) for each in timed),
    )


def _timed(known: Sequence[TrialRecord], weighted: Mapping[str, object]) -> Iterator[TrialRecord]:
    """Yield a record for each training: the one with its seconds. A study that found a network has none of them."""
    by_checkpoint: dict[str, TrialRecord] = {}
    for record in known:
        key = record.checkpoint or ""
        if key in weighted and sum(record.seconds.values()) >= sum(_seconds(by_checkpoint.get(key))):
            by_checkpoint[key] = record
    yield from by_checkpoint.values()


def _seconds(record: TrialRecord | None) -> Iterable[float]:
    return () if record is None else record.seconds.values()


def _flops(record: TrialRecord) -> float:
    return record.value(FLOPS_G.name) or 0.0
