"""The life of one trial, from parameters to a record. Knows neither Optuna nor SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from objectives.base import EpochResult
from objectives.recipe import Recipe
from objectives.training.training import Trained
from search.kept.figures import measurements_of, plain_figures
from search.kept.folder import KeptWork
from search.kept.takes import EarlierTakes
from search.latency.predictor import too_slow_text
from search.record.begun import Begun
from search.record.latency_text import LATENCY
from search.record.stopwatch import Stopwatch
from search.record.trial import TrialRecord
from search.store.base import StudyEntry
from search.trial.network_steps import (
    measure_before_training,
    out_of_memory_as_candidate_error,
    score_saved,
    train_and_save,
)
from search.trial.plan import SearchPlan, excess_over
from search.trial.runner import Hooks, TrialRunner
from search.trial.starts import Start, StartChooser
from search.trial.trained_networks import TrainedNetworks
from search.trial.workbench import Workbench
from spaces.base import ArchSpec, CandidateError, Origin, ParamValue
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

    def earlier_takes(self, number: int) -> EarlierTakes:
        """See `TrialRunner`."""
        return self.bench.kept.earlier_takes(name_of(number))

    def forget(self, number: int) -> None:
        """See `TrialRunner`."""
        self.bench.kept.discard([name_of(number)])


def name_of(number: int) -> str:
    """Return the name of a trial."""
    return f"trial {number}"


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
        facts = partial(bench.kept_facts, begun.identity)
        with bench.kept.work_on(begun.name, facts, tries=hooks.tries, deaths=hooks.deaths) as kept:
            watch.add(kept.seconds)
            ended = _build_and_train(bench, plan, begun, recipe, hooks, watch, starts, kept)
    return replace(ended, seconds=watch.seconds(), finished=hooks.clock())


def _begin(plan: SearchPlan, number: int, params: Mapping[str, ParamValue], now: datetime) -> tuple[Begun, Recipe]:
    spec, origin, recipe = plan.decode(params)
    begun = Begun(
        number=number,
        name=name_of(number),
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
    kept: KeptWork,
) -> TrialRecord:
    """Build, measure and train the candidate, the cheap steps first; the first limit that is missed ends the trial.

    Steps that an earlier take has finished are not done again.
    """
    measured = kept.step("measured")
    with watch.phase("latency"):
        shape, limit = Shape.of_spec(begun.spec, recipe.imgsz), plan.limits.get(LATENCY)
        predicted = None if measured else bench.latencies.predict_above(shape, limit)
    if predicted is not None:
        limit_ms = plan.limits[LATENCY]
        begun = begun.with_measurements((predicted,), {LATENCY: predicted.value - limit_ms})
        return begun.ruled_out(too_slow_text(predicted, limit_ms))
    hooks.show_stage("building")
    try:
        with watch.phase("build"), out_of_memory_as_candidate_error():
            candidate = replace(plan.space.build(begun.spec, begun.origin), imgsz=recipe.imgsz)
        if measured is None:
            with out_of_memory_as_candidate_error():
                before = measure_before_training(bench, candidate, watch, plan.limits)
        else:
            before = measurements_of(measured["before"])
    except CandidateError as error:
        return begun.ruled_out(str(error))
    begun = begun.with_measurements(before, excess_over(plan.limits, before))
    if not begun.feasible:
        return begun.ruled_out(plan.violation(begun.constraints))
    if measured is None:
        with watch.phase("latency"):
            bench.latencies.remeasure_contended(bench.parent)  # another network: only trials that go on wait for it
            further = tuple(bench.latencies.measure_further(candidate))
        kept.keep("measured", {"before": plain_figures(before), "further": plain_figures(further)}, watch.seconds())
    else:
        further = measurements_of(measured["further"])
    begun = begun.with_measurements((*before, *further), begun.constraints)
    start = Start(candidate)
    if starts is not None:
        hooks.show_stage("choosing its start")
        try:
            with watch.phase("start"), out_of_memory_as_candidate_error():
                start = starts.choose_again(kept.step("start"), candidate) or starts.choose(candidate)
        except CandidateError as error:
            return begun.failed(str(error))
        if start.continues and plan.continued_epochs is not None:
            ms = next((each.value for each in before if each.name == LATENCY), None)
            recipe = recipe if ms is None else recipe.with_values(epochs=plan.continued_epochs(ms))
        if earlier := kept.step("start"):  # what is left of a budget has changed since
            recipe = Recipe.from_plain(earlier["recipe"])
        kept.keep("start", {**start.as_plain(), "recipe": recipe.as_plain()}, watch.seconds())
        begun = _with_start(begun, start, recipe)
        with watch.phase("database"):
            earlier = hooks.claim_identity(begun.identity) if start.continues else None
        if earlier is not None:  # another worker continues the same network now
            return begun.duplicate(earlier)
    return _train(bench, begun, start, recipe, hooks, watch, kept)


def _with_start(begun: Begun, start: Start, recipe: Recipe) -> Begun:
    """Return the trial with its start. Each training of a line has a seed of its own, or it would see equal images."""
    origin, seed = start.candidate.origin, begun.seed + len(start.ancestors)
    identity = identity_of(begun.spec, origin, recipe, seed) if start.continues else begun.identity
    begun = replace(begun, recipe=recipe.as_plain())
    return begun.with_start(
        origin=origin, lineage=start.lineage, ancestors=start.ancestors, identity=identity, seed=seed
    )


def _train(
    bench: Workbench, begun: Begun, start: Start, recipe: Recipe, hooks: Hooks, watch: Stopwatch, kept: KeptWork
) -> TrialRecord:
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

    def train() -> Trained:
        teacher = bench.parent.candidate()
        facts = partial(bench.training.facts_of, start.candidate, recipe, teacher=teacher, seed=begun.seed)
        state = kept.training(facts)
        if state is not None:
            curve.extend(state.history)
        return bench.training.train(
            start.candidate,
            recipe,
            report=report,
            teacher=teacher,
            inherited=not start.continues,
            seed=begun.seed,
            kept=state,
        )

    try:
        hooks.show_stage("training")
        saved = train_and_save(bench, begun, train, watch, kept)
        hooks.show_stage("scoring")
        with out_of_memory_as_candidate_error():
            return score_saved(bench, begun, saved, watch, kept)
    except _Stopped as stop:
        return begun.stopped(str(stop), curve)
    except CandidateError as error:
        return begun.failed(str(error), curve)
