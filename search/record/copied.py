"""Records as they are named in another study: trials with the name of their own study before them."""

from __future__ import annotations

from dataclasses import replace

from search.record.trial import TrialRecord

TRIAL = "trial "
"""Beginning of the name of a trial."""


def named_with_study(record: TrialRecord, study: str) -> TrialRecord:
    """Return a record with its study's name before every trial that it names: itself, its lineage, its ancestors.

    Reference rows keep their names: studies of the same parent share them.

    Args:
        study: Name of the record's study.
    """

    def named(name: str) -> str:
        return f"{study}/{name}" if name.startswith(TRIAL) else name

    return replace(
        record,
        name=named(record.name),
        lineage=None if record.lineage is None else named(record.lineage),
        ancestors=tuple(replace(each, name=named(each.name)) for each in record.ancestors),
    )
