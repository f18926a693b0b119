"""Time networks again: load them, export each once, and time them in turn on the study's target. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from objectives.data.calibration import Calibration
from objectives.timing.meter import LatencyMeter
from objectives.timing.race import Race
from objectives.timing.reference import reference_candidate
from objectives.timing.session_spread import USUAL_SPREAD, SessionSpread
from search.latency.remote import target_of_entry
from search.latency.stored_latencies import session_spread
from search.latency.study_targets import target_of
from search.prepare.inputs import open_data
from search.record.confirmation import Confirmation, Finalist
from search.record.confirmed_study import shapes_of
from search.record.folders import RunFolder
from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry
from search.store.entries import TargetEntry
from search.study.definition import StudyDefinition, stored_definition
from search.study.faults import DefinitionError
from spaces.base import Candidate
from spaces.networks.checkpoint import CheckpointStore
from spaces.networks.parent import Parent

CPU_S_PER_FINALIST = 5.0
"""CPU seconds that a confirmation may take for each finalist."""
SEED = 0


def confirm_finalists(
    store: Store,
    study: StudyEntry,
    folder: RunFolder,
    finalists: Sequence[TrialRecord],
    *,
    cpu_s_per_finalist: float = CPU_S_PER_FINALIST,
    show_line: Callable[[str], None] = lambda line: None,
) -> Confirmation:
    """Time the finalists in turn on the study's target, and store their confirmation.

    Args:
        finalists: Records with weights and a latency, all on one target.
        cpu_s_per_finalist: CPU seconds that the race may take for each finalist; it ends earlier if the order is clear.

    Raises:
        DefinitionError: If the study's target is not that of this machine.
        CandidateError: If one of them does not export or run here.
        CheckpointError: If weights are missing or damaged.
    """
    entry = _target_of(store, finalists)
    definition = stored_definition(study.name, study.definition)
    if definition.target.remote is not None:
        raise DefinitionError(
            f"the study's target is another machine, {definition.target.remote}; measure its front there: "
            f"`yolofront bench --pack DIR --study {study.sampler_name} --front`"
        )
    checkpoints = CheckpointStore(folder.checkpoints)
    shapes = shapes_of(finalists)
    candidates = [checkpoints.get(records[0].checkpoint or "") for records in shapes]
    with ExitStack() as opened:
        parent = checkpoints.get(study.frozen["parent"])  # a finalist may be a control of another family
        meter = opened.enter_context(_meter(definition, folder, parent, entry))
        show_line(f"timing {len(shapes)} networks in turn with each other on {meter.target}")
        files = [opened.enter_context(meter.exported(candidate)) for candidate in candidates]
        race = meter.race(files, cpu_budget_s=cpu_s_per_finalist * len(files), seed=SEED)
    names = [[record.name for record in records] for records in shapes]
    spread = session_spread(store.latencies(entry.key))
    return store.add_confirmation(study, confirmation_of(race, names, entry, meter.target.clock, spread))


def confirmation_of(
    race: Race,
    names: Sequence[Sequence[str]],
    target: TargetEntry,
    loaded_clock: str,
    spread: SessionSpread = USUAL_SPREAD,
) -> Confirmation:
    """Return the confirmation that follows from a race of the networks with these names.

    Args:
        names: For each network the names of the records that have its shape; they tie with each other.
        loaded_clock: Clock to use if other work was seen: `cpu` for a target of one thread, because other work hardly
            changes it. On an idle device wall time is used, because users wait for it.
        spread: Spread of latencies between sessions: intervals contain it, ties do not, because they are found in one.
    """
    clock = "wall" if race.contended("wall") is False else loaded_clock
    seen = race.circumstances
    if seen is not None and race.contended(clock) and not seen.contended:
        seen = replace(seen, slow=True)
    result = race.settle(clock)
    members = []
    for number in result.order:
        ratio = spread.across_sessions(result.ratios[number], target.reference_ms)
        tied = [name for other in (number, *result.ties[number]) for name in names[other]]
        for name in names[number]:
            member = Finalist(
                name=name,
                value=ratio.median * target.reference_ms,
                low=ratio.low * target.reference_ms,
                high=ratio.high * target.reference_ms,
                ratio=ratio.median,
                runs=race.runs(number),
                ties=tuple(each for each in tied if each != name),
                samples=tuple(sample * target.reference_ms for sample in race.samples(number, clock)),
            )
            members.append(member)
    return Confirmation(target.key, clock, tuple(members), None if seen is None else seen.as_plain())


def _target_of(store: Store, finalists: Sequence[TrialRecord]) -> TargetEntry:
    """Return the target on which all finalists were timed."""
    keys = {record.name: None if (m := record.measurement(LATENCY)) is None else m.target for record in finalists}
    if len(set(keys.values())) > 1:
        timed = "; ".join(f"{name} on {_shown(store, key)}" for name, key in keys.items())
        raise DefinitionError(
            f"the rows were timed on different targets: {timed}; choose rows of one target with --records"
        )
    entry = None if (key := next(iter(keys.values()), None)) is None else store.target(key)
    if entry is None:
        raise DefinitionError("the finalists' target is not in the database; they cannot be confirmed on it")
    return entry


def _shown(store: Store, key: str | None) -> str:
    entry = None if key is None else store.target(key)
    return "an unknown target" if entry is None else str(target_of_entry(entry))


def _meter(definition: StudyDefinition, folder: RunFolder, trained: Candidate, entry: TargetEntry) -> LatencyMeter:
    """Return a meter on the study's target, with the same reference, so that its frozen time applies."""
    calibration = Calibration.for_precision(
        definition.target.precision,
        lambda: open_data(definition, folder),
    )
    target = target_of(definition.target, int(entry.description["imgsz"]), calibration)
    if target.on_same_device(str(entry.description["device"])):
        target = replace(target, device=str(entry.description["device"]))
    parent = Parent.of(trained, target.imgsz)
    meter = LatencyMeter(target, reference_candidate(parent), calibration=calibration)
    if meter.target.key != entry.key:
        there, here = entry.description, meter.target.description()
        differs = [
            f"{name} {there.get(name)} there, {here.get(name)} here" for name in here if there.get(name) != here[name]
        ]
        raise DefinitionError(
            f"the study's target is not that of this machine: {'; '.join(differs)}; confirm on the machine of the study"
        )
    return meter
