"""Store what another machine measured in the database, under that machine's name and fingerprint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from objectives.device.target import Target
from objectives.remote.plan import PackedNetwork, Plan, read_plan
from objectives.remote.results import Results, read_results
from objectives.timing.meter import latency_of
from objectives.timing.timings import Timings
from search.latency.prediction_error import left_out_error
from search.latency.predictor import MIN_MEASURED, fit_of
from search.latency.remote import options_for
from search.latency.stored_latencies import best_entries, latency_entry, stored_key
from search.latency.stored_target import stored_target
from search.record.confirmation import Confirmation, Finalist
from search.record.latency_text import LATENCY, LOADED_MARK, latency_text
from search.record.number_text import significant
from search.record.trial import TrialRecord
from search.store.base import Store
from search.store.entries import LatencyEntry, TargetEntry
from search.study.faults import DefinitionError
from spaces.structure.stock import resolve, structure_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def unpack(store: Store, folder: Path, *, name: str | None = None) -> Iterator[str]:
    """Store the measurements that are not stored yet; yields the lines to print.

    Args:
        folder: A folder that `pack` wrote, with the `results.json` of the other machine.
        name: The machine's name in studies; the folder's by default.

    Raises:
        PlanError: If plan or results are damaged, or do not belong together.
        DefinitionError: If nothing was measured, or the name is not valid.
    """
    name = name or folder.resolve().name
    if not NAME.fullmatch(name):
        raise DefinitionError(f"--name is {name!r}; use letters, digits, dots, dashes and underscores")
    plan = read_plan(folder)
    results = read_results(folder, plan)
    if results.reference is None or not results.timings:
        raise DefinitionError(f"nothing was measured in '{folder}' yet; run measure.pyz on the machine first")
    target = stored_target(store, replace(results.target, remote=name))
    frozen = store.add_target(frozen_reference(target, results.reference))
    yield f"target: {target}, {target.engine}"
    yield f"reference: {plan.compared_with}, {significant(frozen.reference_ms)} ms, frozen{_mark(frozen)}"
    yield from _table(plan, results, target, frozen)
    new = sum(_store(store, each, results, target, frozen) for each in plan.networks)
    yield f"{new} of {len(results.timings)} measurements are new in the database"
    yield from (f"{each} could not be timed: {reason}" for each, reason in results.failed.items())
    yield from _confirm(store, plan, results, target, frozen)
    yield from _what_next(store, plan, target)


def frozen_reference(target: Target, reference: Timings) -> TargetEntry:
    """Return the target with the reference time that was measured there."""
    return TargetEntry(
        target.key,
        target.description(),
        reference.reference_ms(target.clock).median,
        reference.contended(target.clock),
        reference.circumstances.as_plain(),
    )


def _mark(frozen: TargetEntry) -> str:
    warning = " while other work was seen: compare latencies with each other, their level may be off"
    return warning if frozen.contended else ""


def _entry(network: PackedNetwork, timings: Timings, target: Target, frozen: TargetEntry) -> LatencyEntry:
    latency = latency_of(timings, target, frozen.reference_ms)
    return latency_entry(stored_key(network.shape, target), network.shape, latency, target)


def _store(store: Store, network: PackedNetwork, results: Results, target: Target, frozen: TargetEntry) -> bool:
    """Store one measurement unless one with the same raw samples is stored; return whether it was new."""
    timings = results.timings.get(network.name)
    if timings is None:
        return False
    entry = _entry(network, timings, target, frozen)
    with store.exclusive(f"unpack {target.key}"):
        known = {(each.shape_key, each.samples_ms) for each in store.latencies(target.key)}
        if (entry.shape_key, entry.samples_ms) in known:
            return False
        store.add_latency(entry)
    return True


def _table(plan: Plan, results: Results, target: Target, frozen: TargetEntry) -> Iterator[str]:
    """Return a line for each measured network, in the plan's order."""
    width = max(len(network.name) for network in plan.networks)
    yield f"{'network':{width}}  ratio   latency, ms      p50, p90, p99 observed"
    for network in plan.networks:
        timings = results.timings.get(network.name)
        if timings is not None:
            entry = _entry(network, timings, target, frozen)
            seen = ", ".join(significant(each) for each in timings.percentiles_ms(target.clock))
            latency = latency_text(entry.measurement)
            yield f"{network.name:{width}}  {timings.ratio(target.clock).median:.3f}   {latency:15}  {seen}"
    if any(timings.contended(target.clock) for timings in results.timings.values()):
        yield f"{LOADED_MARK} other work was seen meanwhile"


def _what_next(store: Store, plan: Plan, target: Target) -> Iterator[str]:
    """Return how accurate the latency predictor is for the machine, and the options of a study for it."""
    structure = structure_of(resolve(plan.model, plan.classes))
    known = best_entries(store.latencies(target.key), structure.key)
    if len(known) < MIN_MEASURED:
        yield f"{len(known)} shapes of this parent are measured there; a prediction needs {MIN_MEASURED}"
        return
    error = left_out_error(fit_of(structure), known)
    yield (
        f"prediction, each of {error.shapes} shapes left out once: off by {100 * error.mean:.1f} % on average, "
        f"{100 * error.worst:.1f} % at worst"
    )
    yield f"a study for this machine: {options_for(target)}"


def _confirm(store: Store, plan: Plan, results: Results, target: Target, frozen: TargetEntry) -> Iterator[str]:
    """Store the latencies of a packed front as a confirmation, if the study is for this target."""
    if not plan.front:
        return
    study = next((each for each in store.studies() if each.sampler_name == plan.study), None)
    if study is None:
        yield f"study '{plan.study}' is not in this database: its front is not confirmed by these figures"
        return
    own = {record.name for record in store.records(study) if _is_for(record, target)}
    timed = [network.name for network in plan.networks if network.name in results.timings and network.name in own]
    if not timed:
        yield f"the front of '{plan.study}' is for another target: it is not confirmed by these figures"
        return
    found = remote_confirmation(results, timed, target, frozen)
    with store.exclusive(f"confirm {study.id}"):
        known = [(each.target_key, each.members) for each in store.confirmations(study)]
        if (found.target_key, found.members) in known:
            return
        store.add_confirmation(study, found)
    yield f"{len(timed)} members of the front of '{plan.study}' are measured: see `yolofront report`"


def remote_confirmation(results: Results, names: Sequence[str], target: Target, frozen: TargetEntry) -> Confirmation:
    """Return the confirmation of finalists that another machine timed.

    Overlapping intervals are ties: the networks were timed one after another, each against the reference.
    """
    alone = [_finalist(name, results.timings[name], target, frozen) for name in names]
    members = [
        replace(one, ties=tuple(other.name for other in alone if other is not one and _overlap(one, other)))
        for one in sorted(alone, key=lambda finalist: finalist.value)
    ]
    timed = [results.timings[name] for name in names]
    loads = [replace(each.circumstances, slow=_was_slow(each, target)) for each in timed]
    most = max(loads, key=lambda seen: (bool(seen.contended), seen.others_busy or 0.0))
    return Confirmation(target.key, target.clock, tuple(members), most.as_plain())


def _finalist(name: str, timings: Timings, target: Target, frozen: TargetEntry) -> Finalist:
    """Return a finalist without ties."""
    latency = latency_of(timings, target, frozen.reference_ms)
    low, high = latency.measurement.interval
    return Finalist(
        name=name,
        value=latency.measurement.value,
        low=low,
        high=high,
        ratio=latency.measurement.ratio or 0.0,
        runs=timings.runs,
        samples=latency.samples_ms,
    )


def _overlap(one: Finalist, other: Finalist) -> bool:
    return one.low <= other.high and other.low <= one.high


def _was_slow(timings: Timings, target: Target) -> bool:
    return bool(timings.contended(target.clock)) and not timings.circumstances.contended


def _is_for(record: TrialRecord, target: Target) -> bool:
    latency = record.measurement(LATENCY)
    return latency is not None and latency.target == target.key
