"""Select the records that are confirmed: named ones, or all that matter to the front. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from search.findings.selection import Objectives, by_name
from search.record.front import non_dominated
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.study.faults import DefinitionError
from spaces.base import PARENT


def select_finalists(store: Store, study: StudyEntry, names: str | None = None) -> tuple[TrialRecord, ...]:
    """Return the records with these names (`trial 3,parent`), by default all that matter to the front.

    These are its members before confirmation, the parent, and the networks by hand that no other one by hand beats: a
    speed-up is a ratio within one race, and the search is compared with what it has to beat in the same race.

    Raises:
        DefinitionError: If there is no front yet, or a record is not stored or has no weights or latency.
    """
    records = store.records(study)
    if names is None:
        fronts = store.fronts(study)
        if not fronts:
            raise DefinitionError(f"study '{study.sampler_name}' has no front yet: no trial is complete")
        wanted = list(dict.fromkeys([*fronts[-1].members, *_rivals(records, study.objectives)]))
    else:
        wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
        if not wanted:
            raise DefinitionError(f"--records is '{names}'; write names such as 'trial 3,parent'")
    found = tuple(by_name(records, name, "--records") for name in wanted)
    for record in found:
        if record.measurement(LATENCY) is None:
            raise DefinitionError(f"{record.name} has no latency; it cannot be confirmed")
    return found


def _rivals(records: Sequence[TrialRecord], objectives: Objectives) -> list[str]:
    """Return the names of the parent and of the networks by hand that no other one by hand beats."""
    rows = [
        (each.name, [value for name, _ in objectives if (value := each.value(name)) is not None])
        for each in records
        if each.is_beside_trials and each.outcome is Outcome.COMPLETE and each.feasible and each.checkpoint
        if not (each.is_repeated or each.is_polished) and each.measurement(LATENCY) is not None
    ]
    known = [(name, values) for name, values in rows if len(values) == len(objectives)]
    best = non_dominated([values for _, values in known], [direction for _, direction in objectives])
    parent = [name for name, _ in known if name == PARENT]
    return [*parent, *(known[place][0] for place in best)]


def is_confirmed(store: Store, study: StudyEntry) -> bool:
    """Return whether the present front was confirmed, uncontended, on the target of its members."""
    newest, fronts = store.confirmations(study)[-1:], store.fronts(study)[-1:]
    if not newest or not fronts:
        return not fronts  # without a front there is nothing to confirm
    members = [record for record in store.records(study) if record.name in fronts[0].members]
    latencies = [record.measurement(LATENCY) for record in members]
    targets = {latency.target for latency in latencies if latency is not None}
    return all(newest[0].covers(fronts[0].members, target or "") for target in targets)
