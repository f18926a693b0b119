"""Trials that train the network of an earlier record further."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from search.record.trial import TrialRecord
from spaces.base import ParamValue


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


def own_epochs(records: Sequence[TrialRecord]) -> dict[str, int]:
    """Return for each record the epochs that its very network was trained for, without those of wider ancestors."""
    found: dict[str, int] = {}
    specs = {record.name: record.spec for record in records}
    for record in records:
        continues = record.lineage in found and record.spec is not None and specs[str(record.lineage)] == record.spec
        found[record.name] = record.epochs + (found[str(record.lineage)] if continues else 0)
    return found


def params_key(params: Mapping[str, ParamValue]) -> Hashable:
    """Return the parameters as a key that is equal for equal parameters."""
    return tuple(sorted(params.items()))
