"""The life of one trial, from parameters to a record. Knows neither Optuna nor SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from objectives.base import EpochResult, Evaluation, Measurement
from objectives.device.memory import out_of_memory
from objectives.recipe import Recipe
from search.latency.predictor import too_slow_text
from search.record.begun import Begun
from search.record.latency_text import LATENCY
from search.record.stopwatch import Stopwatch
from search.record.trial import TrialRecord
from search.store.base import StudyEntry
from search.trial.plan import NO_LIMITS, SearchPlan, excess_over
from search.trial.runner import Hooks, TrialRunner
from search.trial.starts import Start, StartChooser
from search.trial.trained_networks import TrainedNetworks
from search.trial.workbench import Workbench
from spaces.base import ArchSpec, Candidate, CandidateError, Origin, ParamValue
from spaces.structure.shape import Shape


class _Stopped(Exception):
    """Ends a training from within. Its message is the reason."""


def identity_of(spec: ArchSpec, origin: Origin, recipe: Recipe, seed: int) -> str:
    """Return the hash of what makes two trials equal: architecture, origin of weights, recipe and seed."""
    return hashlib.sha256(f"{spec.key} {origin.key} {recipe.key} {seed}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class StudyTrials(TrialRunner):
    """The trials of a study, with the tools of this process."""

    bench: Workbench
    plan: SearchPlan
    starts: StartChooser | None = None

    @classmethod
    def of(cls, bench: Workbench, plan: SearchPlan, study: StudyEntry) -> StudyTrials:
        """Return the trials of a study; they inherit from trained networks if its plan says so."""
        if not plan.inherits:
            return cls(bench, plan)
        trained = TrainedNetworks(bench.store, study, bench.checkpoints, bench.parent.structure.key)
        return cls(bench, plan, StartChooser(bench, trained))

    def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
        """See `evaluate`."""
        return evaluate(self.bench, self.plan, number, params, hooks, self.starts)

    def give_up(self, number: int, params: Mapping[str, ParamValue], reason: str, now: datetime) -> TrialRecord:
        """Return a failed record with the spec that would have been built."""
        begun, _ = _begin(self.plan, number, params, now)
        return replace(begun.failed(reason), finished=now)


def evaluate(
    bench: Workbench,
    plan: SearchPlan,
    number: int,
    params: Mapping[str, ParamValue],
    hooks: Hooks,
    starts: StartChooser | None = None,
) -> TrialRecord:
    """Run one trial. A fault of the candidate ends as a record with a reason; any other fault propagates.

    Args:
        starts: Chooses the weights that the training begins with; by default those that the space names.
    """
    watch = Stopwatch()
    begun, recipe = _begin(plan, number, params, hooks.clock())
    with watch.phase("database"):
        earlier = hooks.claim_identity(begun.identity)
    if earlier is not None and (starts is None or not starts.can_continue(begun.spec)):
        ended = begun.duplicate(earlier)
    else:
        ended = _build_and_train(bench, plan, begun, recipe, hooks, watch, starts)
    return replace(ended, seconds=watch.seconds(), finished=hooks.clock())


def _begin(plan: SearchPlan, number: int, params: Mapping[str, ParamValue], now: datetime) -> tuple[Begun, Recipe]:
    spec, origin, recipe = plan.decode(params)
    begun = Begun(
        number=number,
        name=f"trial {number}",
        params=dict(params),
        spec=spec,
        origin=origin,
        identity=identity_of(spec, origin, recipe, plan.seed),
        recipe=recipe.as_plain(),
        seed=plan.seed,
        started=now,
    )
    return begun, recipe


def _build_and_train(
    bench: Workbench,
    plan: SearchPlan,
    begun: Begun,
    recipe: Recipe,
    hooks: Hooks,
    watch: Stopwatch,
    starts: StartChooser | None,
) -> TrialRecord:
    """Build, measure and train the candidate, the cheap steps first; the first limit that is missed ends the trial."""
    with watch.phase("latency"):
        predicted = bench.latencies.predict_above(Shape.of_spec(begun.spec, recipe.imgsz), plan.limits.get(LATENCY))
    if predicted is not None:
        limit_ms = plan.limits[LATENCY]
        begun = begun.with_measurements((predicted,), {LATENCY: predicted.value - limit_ms})
        return begun.ruled_out(too_slow_text(predicted, limit_ms))
    hooks.show_stage("building")
    try:
        with watch.phase("build"), out_of_memory_as_candidate_error():
            candidate = replace(plan.space.build(begun.spec, begun.origin), imgsz=recipe.imgsz)
        before = measure_before_training(bench, candidate, watch, plan.limits)
    except CandidateError as error:
        return begun.ruled_out(str(error))
    begun = begun.with_measurements(before, excess_over(plan.limits, before))
    if not begun.feasible:
        return begun.ruled_out(plan.violation(begun.constraints))
    with watch.phase("latency"):
        bench.latencies.remeasure_contended(bench.parent)  # another network: only trials that go on wait for it
        begun = begun.with_measurements((*before, *bench.latencies.measure_further(candidate)), begun.constraints)
    start = Start(candidate)
    if starts is not None:
        hooks.show_stage("choosing its start")
        try:
            with watch.phase("start"), out_of_memory_as_candidate_error():
                start = starts.choose(candidate)
        except CandidateError as error:
            return begun.failed(str(error))
        if start.continues and plan.continued_epochs is not None:
            ms = next((each.value for each in before if each.name == LATENCY), None)
            recipe = recipe if ms is None else recipe.with_values(epochs=plan.continued_epochs(ms))
        begun = _with_start(begun, start, recipe)
        with watch.phase("database"):
            earlier = hooks.claim_identity(begun.identity) if start.continues else None
        if earlier is not None:  # another worker continues the same network now
            return begun.duplicate(earlier)
    return _train(bench, begun, start, recipe, hooks, watch)


def _with_start(begun: Begun, start: Start, recipe: Recipe) -> Begun:
    """Return the trial with its start. Each training of a line has a seed of its own, or it would see equal images."""
    origin, seed = start.candidate.origin, begun.seed + len(start.ancestors)
    identity = identity_of(begun.spec, origin, recipe, seed) if start.continues else begun.identity
    begun = replace(begun, recipe=recipe.as_plain())
    return begun.with_start(
        origin=origin, lineage=start.lineage, ancestors=start.ancestors, identity=identity, seed=seed
    )


def _train(bench: Workbench, begun: Begun, start: Start, recipe: Recipe, hooks: Hooks, watch: Stopwatch) -> TrialRecord:
    curve: list[EpochResult] = []
    latency_ms = begun.value(LATENCY)

    def report(result: EpochResult) -> None:
        curve.append(result)
        with watch.phase("database"):
            hooks.report(result)
            # A continued network is not stopped: it was chosen because more training is worth it.
            stays = latency_ms is None or start.continues
            reason = "" if stays else hooks.reason_to_stop(latency_ms or 0.0, curve, recipe.epochs)
        if reason:
            raise _Stopped(reason)

    try:
        hooks.show_stage("training")
        with watch.phase("training"), out_of_memory_as_candidate_error():
            result = bench.training.train(
                start.candidate,
                recipe,
                report=report,
                teacher=bench.parent.candidate(),
                inherited=not start.continues,
                seed=begun.seed,
            )
        hooks.show_stage("scoring")
        with out_of_memory_as_candidate_error():
            return save_and_evaluate(bench, begun, result.history, result.candidate, watch)
    except _Stopped as stop:
        return begun.stopped(str(stop), curve)
    except CandidateError as error:
        return begun.failed(str(error), curve)


@contextmanager
def out_of_memory_as_candidate_error() -> Iterator[None]:
    """Raise `CandidateError` where the memory runs out in steps around the training, which does so itself."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        reason = out_of_memory(error)
        if reason is None:
            raise
        raise CandidateError(f"out of memory: {reason}") from error


def measure_before_training(
    bench: Workbench, candidate: Candidate, watch: Stopwatch, limits: Mapping[str, float] = NO_LIMITS
) -> tuple[Measurement, ...]:
    """Measure all objectives of a candidate that need no training, the cheap ones first."""
    found: list[Measurement] = []
    for objective in bench.before_training(limits):
        with watch.phase(objective.phase):
            found += objective.measure(candidate)
    return tuple(found)


def measure_after_training(
    bench: Workbench, candidate: Candidate
) -> tuple[tuple[Evaluation, ...], tuple[Measurement, ...]]:
    """Measure all objectives of a trained network that was saved and loaded again, on every split."""
    network = bench.training.reloaded_network(candidate)
    found = [figure for objective in bench.after_training for figure in objective.measure(network)]
    evaluations = tuple(figure for figure in found if isinstance(figure, Evaluation))
    return evaluations, tuple(figure for figure in found if isinstance(figure, Measurement))


def save_and_evaluate(
    bench: Workbench, begun: Begun, curve: Sequence[EpochResult], candidate: Candidate, watch: Stopwatch
) -> TrialRecord:
    """Save a network, reload it, and evaluate the file that would be shipped on every split."""
    with watch.phase("evaluation"):
        checkpoint = bench.checkpoints.put(candidate, _checkpoint_facts(begun, curve))
        evaluations, further = measure_after_training(bench, bench.checkpoints.get(checkpoint))
    begun = begun.with_measurements((*begun.measurements, *further), begun.constraints)
    return begun.complete(checkpoint=checkpoint, evaluations=evaluations, curve=curve)


def _checkpoint_facts(begun: Begun, curve: Sequence[EpochResult]) -> dict[str, Any]:
    """Return what is stored in a checkpoint: origin, recipe, figures and learning curve.

    There are no times among it: a repeated training must give an equal file.
    """
    return {
        "name": begun.name,
        "seed": begun.seed,
        "lineage": begun.lineage,
        "ancestors": [
            {"name": each.name, "checkpoint": each.checkpoint, "epochs": each.epochs} for each in begun.ancestors
        ],
        "recipe": dict(begun.recipe),
        "figures": {each.name: each.value for each in begun.measurements if each.target is None},
        "curve": [
            {"epoch": each.epoch, "map50_95": each.map50_95, "map50": each.map50, "loss": each.loss} for each in curve
        ],
    }
