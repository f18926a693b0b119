"""Select the records that are confirmed: named ones, or the members of the front. Imports no torch."""

from __future__ import annotations

from search.findings.selection import by_name
from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry
from search.study.faults import DefinitionError


def select_finalists(store: Store, study: StudyEntry, names: str | None = None) -> tuple[TrialRecord, ...]:
    """Return the records with these names (`trial 3,parent`), by default the front's members before confirmation.

    Raises:
        DefinitionError: If there is no front yet, or a record is not stored or has no weights or latency.
    """
    records = store.records(study)
    if names is None:
        fronts = store.fronts(study)
        wanted = list(fronts[-1].members) if fronts else []
        if not wanted:
            raise DefinitionError(f"study '{study.sampler_name}' has no front yet: no trial is complete")
    else:
        wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
        if not wanted:
            raise DefinitionError(f"--records is '{names}'; write names such as 'trial 3,parent'")
    found = tuple(by_name(records, name, "--records") for name in wanted)
    for record in found:
        if record.measurement(LATENCY) is None:
            raise DefinitionError(f"{record.name} has no latency; it cannot be confirmed")
    return found


def is_confirmed(store: Store, study: StudyEntry) -> bool:
    """Return whether the present front was confirmed, uncontended, on the target of its members."""
    newest, fronts = store.confirmations(study)[-1:], store.fronts(study)[-1:]
    if not newest or not fronts:
        return not fronts  # without a front there is nothing to confirm
    members = [record for record in store.records(study) if record.name in fronts[0].members]
    latencies = [record.measurement(LATENCY) for record in members]
    targets = {latency.target for latency in latencies if latency is not None}
    return all(newest[0].covers(fronts[0].members, target or "") for target in targets)
