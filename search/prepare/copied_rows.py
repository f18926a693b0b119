"""Copies the trained networks of a stored study into one with another target.

Latency is measured on that target; accuracy is copied. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from objectives.base import Measurement
from objectives.quantities import LATENCY_MS, quantity_named
from search.prepare.lineage import accuracies_of
from search.prepare.reference_rows import reference_point_of
from search.record.copied import named_with_study
from search.record.events import Activity, RecordStored, Say
from search.record.stopwatch import Clock, Stopwatch
from search.record.trial import Outcome, TrialRecord
from search.store.base import AlreadyStored, Store, StudyEntry
from search.study.definition import StudyDefinition
from search.study.faults import DefinitionError, DefinitionMismatch
from search.study.rows import PARENT_NAME
from search.trial.network_steps import measure_before_training
from search.trial.plan import excess_over
from search.trial.workbench import Workbench
from spaces.base import Candidate, CandidateError
from spaces.networks.checkpoint import CheckpointStore


@dataclass(frozen=True)
class CopiedStudy:
    """A study whose networks are copied.

    Attributes:
        records: Its trained networks, named as rows of the study that they are copied to.
        here: Those of them with weights on this machine.
    """

    entry: StudyEntry
    records: tuple[TrialRecord, ...]
    here: tuple[TrialRecord, ...]

    @staticmethod
    def find(store: Store, name: str, checkpoints: CheckpointStore) -> CopiedStudy:
        """Return the study with that name and generation.

        Raises:
            DefinitionError: If it is not stored.
        """
        entry = next((each for each in store.studies() if each.sampler_name == name), None)
        if entry is None:
            raise DefinitionError(f"study '{name}', whose networks are copied, is not in the database")
        complete = [each for each in store.records(entry, curves=True) if _is_network(each)]
        records = tuple(named_with_study(record, name) for record in complete)
        return CopiedStudy(entry, records, tuple(each for each in records if each.checkpoint in checkpoints))

    def check(self, definition: StudyDefinition, data_key: str) -> None:
        """Check that a study can begin with these networks.

        Raises:
            DefinitionError: If the parent or a donor was not trained yet, or its weights are not on this machine.
            DefinitionMismatch: If the data has changed since they were trained.
        """
        name, here = self.entry.sampler_name, {record.name for record in self.here}
        if "donors" not in self.entry.frozen:
            raise DefinitionError(f"study '{name}' has not trained its parent and donors yet; run it first")
        for row in (PARENT_NAME, *(donor.name for donor in definition.donors)):
            if row not in here:
                raise DefinitionError(
                    f"the weights of '{row}' of study '{name}' are not on this machine; run the command where they are"
                )
        if self.entry.frozen.get("data") != data_key:
            raise DefinitionMismatch(f"study '{name}' was trained on other content of its data; put it back as it was")

    def left_out_text(self) -> str:
        """Return how many networks are left out: `2 of 14 networks of nas_head ...`; empty if there is none."""
        missing = len(self.records) - len(self.here)
        if not missing:
            return ""
        networks = f"{missing} of {len(self.records)} networks of {self.entry.sampler_name}"
        return f"{networks} are left out: their weights are not on this machine"


@dataclass(frozen=True, kw_only=True)
class RowCopier:
    """Copies networks into a study, with the tools of one process."""

    definition: StudyDefinition
    store: Store
    study: StudyEntry
    bench: Workbench
    say: Say
    clock: Clock

    def copy(self, source: CopiedStudy, records: Sequence[TrialRecord]) -> StudyEntry:
        """Store these networks as rows of the study. Returns it with its parent and donors frozen.

        Args:
            records: Those of `source.here` that are not stored yet; the parent is the first of all.

        Raises:
            CandidateError: If the parent does not run on the target. Another network is stored as ruled out.
        """
        study = self.study
        for record in records:
            try:
                row = self._on_target(record)
            except CandidateError as error:
                if record.name == PARENT_NAME:
                    raise
                row = self._ruled_out(record, " ".join(str(error).split()))
            if row.name == PARENT_NAME:
                facts = {"parent": row.checkpoint, "reference_point": reference_point_of(study, row)}
                study = self.store.freeze(study, facts)
            self._add(study, row)
        return self.store.freeze(study, {"donors": source.entry.frozen["donors"]})

    def _add(self, study: StudyEntry, row: TrialRecord) -> None:
        with suppress(AlreadyStored):
            front = self.store.add(study, row, None)
            self.say(RecordStored(row, front is not None))

    def _ruled_out(self, record: TrialRecord, reason: str) -> TrialRecord:
        """Return the row of a network that does not run on the target, so that it is not tried again."""
        known = tuple(each for each in record.measurements if each.target is None)  # these hold everywhere
        now = self.clock()
        return replace(
            record,
            number=None,
            outcome=Outcome.RULED_OUT,
            reason=reason,
            measurements=known,
            evaluations=(),
            rungs=(),
            constraints={},
            checkpoint=None,
            seconds={},
            started=now,
            finished=now,
        )

    def _on_target(self, record: TrialRecord) -> TrialRecord:
        """Return a network's record with its latencies on the study's targets.

        Figures that do not depend on the target are copied; what the record lacks is measured.
        """
        started, watch = self.clock(), Stopwatch()
        self.say(Activity(f"timing {record.name}"))
        candidate = self.bench.checkpoints.get(record.saved_checkpoint)
        known = {each.name: each for each in record.measurements if quantity_named(each.name) is not LATENCY_MS}
        measured = self._before_training(candidate, known, watch)
        with watch.phase("evaluation"):
            evaluations, further = accuracies_of(self.bench, record, candidate)
        return replace(
            record,
            number=None,
            measurements=(*measured, *further),
            evaluations=evaluations,
            constraints=excess_over(self.definition.upper_limits, measured),
            seconds=_seconds(record, watch),
            started=started,
            finished=self.clock(),
        )

    def _before_training(
        self, candidate: Candidate, known: Mapping[str, Measurement], watch: Stopwatch
    ) -> tuple[Measurement, ...]:
        found = measure_before_training(self.bench, candidate, watch)
        with watch.phase("latency"):
            further = self.bench.latencies.measure_further(candidate)
        return (*(known.get(each.name, each) for each in found), *further)


def _seconds(record: TrialRecord, watch: Stopwatch) -> dict[str, float]:
    """Return the seconds spent now; of a trial also those of its training, which say what more of it would cost."""
    spent = watch.seconds()
    return {**spent, "training": record.seconds.get("training", 0.0)} if "/" in record.name else spent


def _is_network(record: TrialRecord) -> bool:
    """Return whether a record is of a trained network that one may choose: a repeated training is not."""
    return record.outcome is Outcome.COMPLETE and record.checkpoint is not None and not record.is_repeated
