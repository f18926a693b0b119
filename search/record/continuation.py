"""Trials that train the network of an earlier record further."""

from __future__ import annotations

from collections.abc import Sequence

from search.record.trial import TrialRecord


def continued_trials(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that began with the weights of an earlier record of the very same network."""
    by_name = {record.name: record for record in records}
    return [record for record in records if is_continued(record, by_name.get(record.lineage or ""))]


def is_continued(record: TrialRecord, before: TrialRecord | None) -> bool:
    """Return whether a trial trains the network of the record that it began with further.

    Args:
        before: The record that the trial's lineage names.
    """
    return not record.is_reference and before is not None and record.spec is not None and record.spec == before.spec
