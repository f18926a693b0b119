"""Select the records that a comparison shows, of one study or of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from objectives.data.yaml_file import read_definition
from objectives.tasks.digit_sets import BUILT_IN
from search.cli.stored_study import find_study
from search.findings.selection import by_number, confirmed_study
from search.pictures.curves import MAX_RECORDS
from search.record.names import joined_names, meant_name, trial_number
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.study.faults import DefinitionError
from spaces.base import SpaceError


@dataclass(frozen=True)
class ComparedRecords:
    """Records to compare, and their studies; with several studies, names begin with the study's name."""

    records: tuple[TrialRecord, ...]
    studies: tuple[StudyEntry, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; empty if the studies use different data sets, or the data set does not exist any more."""
        sources = {str((study.definition.get("data") or {}).get("source", "")) for study in self.studies}
        if len(sources) != 1:
            return ()
        source = sources.pop()
        try:
            return tuple("0123456789") if source in BUILT_IN else read_definition(Path(source)).classes
        except (OSError, SpaceError):
            return ()


def select_compared(store: Store, *, study: str | None = None, names: Sequence[str] = ()) -> ComparedRecords:
    """Return the named records, by default the study's reference rows and the members of its front.

    Args:
        study: Name of the study that names without a study belong to.
        names: `trial 7` (or `trial-7`, `7`) for a record of the study, `STUDY/trial 7` for one of any study.

    Raises:
        DefinitionError: If a study or record does not exist, or there are too many records to tell apart.
    """
    if study is None and not names:
        raise DefinitionError("name a study with --study, or runs such as nas_head/parent 'nas_head/trial 7'")
    if not names:
        entry = find_study(store, study or "")
        confirmed = confirmed_study(store, entry, curves=True)
        rows = [
            record
            for record in confirmed.records
            if record.name in confirmed.front or (record.is_beside_trials and not record.is_repeated)
        ]
        return ComparedRecords(_checked([r for r in rows if r.outcome is Outcome.COMPLETE]), (entry,))
    found = [_find(store, study, name) for name in joined_names(names)]
    studies = {entry.sampler_name: entry for entry, _ in found}
    records = [
        replace(record, name=f"{entry.sampler_name}/{record.name}") if len(studies) > 1 else record
        for entry, record in found
    ]
    return ComparedRecords(_checked(records), tuple(studies.values()))


def _checked(records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    if not records:
        raise DefinitionError("there is nothing to compare yet: no record is complete")
    if len(records) > MAX_RECORDS:
        raise DefinitionError(f"{len(records)} runs cannot be told apart in one picture; name at most {MAX_RECORDS}")
    return tuple(records)


def _find(store: Store, study: str | None, run: str) -> tuple[StudyEntry, TrialRecord]:
    """Return the record that `NAME` or `STUDY/NAME` means, and its study."""
    before, slash, name = run.rpartition("/")
    if study is not None and meant_name(run, _names(store, study)):
        name = run  # a copied trial has the name of its own study before it
    elif slash:
        study = before
    elif study is None:
        raise DefinitionError(f"'{run}' names no study; write STUDY/NAME, or give --study")
    entry = find_study(store, study or "")
    records = confirmed_study(store, entry, curves=True).records
    meant = meant_name(name, (each.name for each in records))
    record = next((each for each in records if each.name == meant), None)
    if record is None:
        rows = ", ".join(each.name for each in records if each.is_reference)
        if (number := trial_number(name)) is not None:
            return entry, by_number(records, number, "RUN")
        raise DefinitionError(f"study '{entry.sampler_name}' has no '{name}'; it has {rows or 'no rows'}, and trials")
    return entry, record


def _names(store: Store, study: str) -> Iterator[str]:
    return (each.name for each in store.records(find_study(store, study), curves=False))
