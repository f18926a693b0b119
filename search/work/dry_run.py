"""`--dry-run`: checks everything, trains one candidate for a few batches, and estimates the study. Stores nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from objectives.quantities import FLOPS_G, LATENCY_MS, SHARE_PRUNED, SIZE_MIB
from objectives.recipe import Recipe
from search.latency.local import IdleWait
from search.latency.remote import copy_remotes
from search.prepare.batch_size import measure_batch
from search.prepare.inputs import InitialParent, StudyInputs, complete_recipe, load_initial_parent, open_data
from search.prepare.preparation import Preparation, Setting
from search.prepare.sensitivity_analysis import TRAINING_PASSES, analysis_images, fewest_epochs, wants_sensitivity
from search.prepare.study_entry import with_batch
from search.record.doubts import doubt_line
from search.record.folders import RunFolder
from search.record.number_text import duration
from search.store.base import Store
from search.store.sql import open_store
from search.store.url import parse, sqlite_file
from search.study.budget import parse_budget
from search.study.definition import StudyDefinition
from search.study.rows import RowSection
from search.trial.network_steps import measure_after_training
from search.trial.workbench import Workbench
from search.work.budget_plan import budget_text
from spaces.allocation.uniform import uniform
from spaces.base import Candidate
from spaces.display.terminal import ShownConsole
from spaces.networks.parent import Parent

TIMED_BATCHES = 6
"""Number of training batches that are timed."""
SKIPPED_BATCHES = 2
"""Number of batches before the timed ones: the first ones allocate memory and fill caches."""
LONG_S = 12 * 3600.0
"""Duration of a study in seconds above which a shorter recipe is proposed."""
TYPICAL_RATIO = 0.75
"""Share of channels that are kept in the tried candidate: the middle of the usual range."""


class _TimingDone(BaseException):
    """Signal that ends the timed training. No handler for ordinary errors may catch it."""


@dataclass(frozen=True)
class MeasuredCost:
    """Measured durations in seconds, and size of a checkpoint in MiB."""

    latency_s: float
    evaluation_s: float
    parent_batch_s: float
    batch_s: float
    checkpoint_mib: float


def dry_run(
    definition: StudyDefinition,
    *,
    device: str,
    threads: int,
    url: str | None = None,
    repeats: int = 0,
    strict: bool = False,
    measures_batch: bool = False,
) -> int:
    """Check data, parent, export and training of one candidate, and estimate the whole study.

    Args:
        url: URL of the database with measurements of other machines; it is only read.
        repeats: Number of trials that are trained once more when the study is done.
        strict: Whether the warnings about the data set are an error.
        measures_batch: Whether the batch size is measured, as `--batch auto` asks for.

    Raises:
        SpaceError: If the data, the weights or the space are wrong.
        CandidateError: If even a uniformly cut candidate cannot be built, exported or trained.
    """
    console = ShownConsole()
    with tempfile.TemporaryDirectory(prefix="yolofront-dry-run-") as name:
        temporary = RunFolder(Path(name))
        data = open_data(definition, temporary, strict=strict)
        sizes = ", ".join(f"{split} {len(each.images)}" for split, each in data.splits.items())
        console.print(f"data: {data.name}, {len(data.classes)} classes; images: {sizes}")
        for line in data.warnings:
            console.print(doubt_line(line), markup=False)
        initial = load_initial_parent(definition, data)
        console.print(f"parent: {_describe_parent(initial)}, {initial.parent.imgsz} px")
        if initial.parent.note:
            console.print(f"warning: {initial.parent.note}", markup=False)
        inputs = StudyInputs(data, initial)
        if measures_batch:
            batch = measure_batch(definition, inputs, device, temporary.root / "batch", say=console.print)
            console.print(f"batch: {batch} (a run measures it again when the study begins)")
            definition = with_batch(definition, batch)
        setting = Setting(
            folder=temporary,
            device=device,
            scratch=temporary.root / "scratch",
            threads=threads,
            idle_wait=IdleWait(tries=1),
        )
        preparation = Preparation(definition=definition, store=_store(definition, url), setting=setting)
        with preparation.open_workbench(inputs) as bench:
            recipe = complete_recipe(definition.recipe.longest(), inputs)
            parent_recipe = complete_recipe(definition.parent.recipe.fixed, inputs)
            multiple = definition.space.multiple
            built = bench.parent.build(uniform(bench.parent, TYPICAL_RATIO, multiple=multiple))
            candidate = replace(built, imgsz=recipe.imgsz)
            cost = _measure(bench, candidate, recipe, parent_recipe, console)
    images = len(data.splits["train"].images)
    analysis_s = _analysis_seconds(
        definition, initial.parent, recipe, images, cost.parent_batch_s / parent_recipe.batch
    )
    parent_recipe_or_none = None if initial.is_trained else parent_recipe
    _estimate(definition, cost, recipe, parent_recipe_or_none, images, analysis_s, repeats, console)
    return 0


def _store(definition: StudyDefinition, url: str | None) -> Store:
    """Return a store in memory, with the measurements of the study's remote targets."""
    empty = open_store("sqlite://")
    remotes = {asked.remote for asked in (definition.target, *definition.further_targets)} - {None}
    file = None if url is None else sqlite_file(parse(url))
    if remotes and url is not None and (file is None or file.exists()):
        stored = open_store(url)
        copy_remotes(stored, empty, remotes)
        stored.close()
    return empty


def _describe_parent(initial: InitialParent) -> str:
    if initial.weights is None:
        return f"{initial.parent.model['yaml_file']}, to be trained"
    if initial.is_trained:
        return f"{initial.weights.path} as it is"
    why = "the weights do not name their classes" if initial.weights.classes is None else "other classes"
    return (
        f"to be trained from {initial.weights.path} ({why}; {100 * initial.parent.inherited:.0f} % of its tensors fit)"
    )


def _measure(
    bench: Workbench, candidate: Candidate, recipe: Recipe, parent_recipe: Recipe, console: Console
) -> MeasuredCost:
    costs = [each for each in bench.before_training() if LATENCY_MS not in each.quantities]
    values = {figure.name: figure.value for objective in costs for figure in objective.measure(candidate)}
    console.print(
        f"candidate: {candidate.imgsz} px, {values[FLOPS_G.name]:.3g} GFLOPs, {values[SIZE_MIB.name]:.2f} MiB, "
        f"{100 * values[SHARE_PRUNED.name]:.0f} % of the parent's parameters pruned"
    )
    for quantity in (each for objective in costs for each in objective.quantities if each.on_request):
        console.print(f"{quantity.name}: candidate {values[quantity.name]:.3g} {quantity.unit}")
    begun = time.perf_counter()
    latency = bench.latencies.measure(candidate)
    latency_s = time.perf_counter() - begun
    parent = bench.latencies.measure(bench.parent.candidate())
    console.print(f"latency: candidate {latency.value:.3g} ms, parent {parent.value:.3g} ms ({bench.latencies.target})")
    for further in bench.latencies.measure_further(candidate):
        console.print(f"{further.name}: candidate {further.value:.3g} ms")
    begun = time.perf_counter()
    measure_after_training(bench, candidate)
    evaluation_s = time.perf_counter() - begun
    batch_s = _measure_batch(bench, candidate, recipe)
    parent_batch_s = _measure_batch(bench, bench.parent.candidate(), parent_recipe)
    console.print(
        f"training: {batch_s:.2f} s for a batch of {recipe.batch}; "
        f"parent: {parent_batch_s:.2f} s for a batch of {parent_recipe.batch}"
    )
    return MeasuredCost(latency_s, evaluation_s, parent_batch_s, batch_s, values[SIZE_MIB.name])


def _measure_batch(bench: Workbench, candidate: Candidate, recipe: Recipe) -> float:
    """Return the mean seconds per batch after warm-up; the batches are too few for a median."""
    moments: list[float] = []

    def count(_epoch: int, _epochs: int, _batch: int, _batches: int) -> None:
        moments.append(time.perf_counter())
        if len(moments) >= SKIPPED_BATCHES + TIMED_BATCHES:
            raise _TimingDone

    timed = replace(bench.training, progress=count)
    with suppress(_TimingDone):
        timed.train(candidate, recipe.with_values(distill=0.0))
    first = min(SKIPPED_BATCHES, len(moments) - 2) if len(moments) > 2 else 0
    return (moments[-1] - moments[first]) / max(1, len(moments) - 1 - first)


def _analysis_seconds(
    definition: StudyDefinition, parent: Parent, recipe: Recipe, images: int, trained_image_s: float
) -> float:
    """Estimate the seconds of the sensitivity analysis from those per training image; 0 if there is no analysis."""
    epochs = fewest_epochs(recipe.epochs, definition.recipe.searched)
    if not wants_sensitivity(definition, parent, epochs=epochs, images=images, n_trials=definition.n_trials):
        return 0.0
    return analysis_images(parent) * trained_image_s / TRAINING_PASSES


def _estimate(
    definition: StudyDefinition,
    cost: MeasuredCost,
    recipe: Recipe,
    parent_recipe: Recipe | None,
    images: int,
    analysis_s: float,
    repeats: int,
    console: Console,
) -> None:
    batches = -(-images // recipe.batch)
    epoch_s = batches * cost.batch_s + cost.evaluation_s
    trial_s = cost.latency_s + cost.evaluation_s + recipe.epochs * epoch_s
    rows = [*definition.donors, *definition.controls]
    before_s = _rows_seconds(definition, rows, recipe, cost, epoch_s)
    if parent_recipe is not None:
        parent_batches = -(-images // parent_recipe.batch)
        before_s += parent_recipe.epochs * (parent_batches * cost.parent_batch_s + cost.evaluation_s)
    trials_s = definition.n_trials * trial_s + repeats * recipe.epochs * epoch_s
    of_what = f"{definition.n_trials} trials"
    if definition.budget is not None:
        donors_s = _rows_seconds(definition, definition.donors, recipe, cost, epoch_s)
        trials_s = max(0.0, _budget_seconds(definition.budget, epoch_s) - donors_s)
        of_what = definition.budget
    study_s = before_s + analysis_s + trials_s
    disk_mib = cost.checkpoint_mib * (definition.n_trials + len(rows)) + 2 * cost.checkpoint_mib + 20
    console.print(f"parent, donors and controls: {duration(before_s)}")
    if analysis_s:
        console.print(f"sensitivity analysis, for the sampler: {duration(analysis_s)}")
    console.print(f"a trial: {duration(trial_s)}, {trial_s / 3600:.3f} h ({recipe.epochs} epochs)")
    if text := budget_text(definition, repeats, epoch_s):
        console.print(text)
    console.print(f"the study of {of_what} with one worker: {duration(study_s)}, {study_s / 3600:.2f} h")
    console.print(f"disk: {disk_mib:.0f} MiB")
    if study_s > LONG_S and definition.budget is None:
        shorter = max(1, int(recipe.epochs * LONG_S / study_s))
        console.print(
            f"that is long: with `--epochs {shorter}` a trial takes {duration(shorter * epoch_s)}, "
            f"the study about {duration(LONG_S)}"
        )


def _rows_seconds(
    definition: StudyDefinition, rows: Sequence[RowSection], recipe: Recipe, cost: MeasuredCost, epoch_s: float
) -> float:
    """Return the seconds of donors or controls: their trainings, latencies and scores."""
    recipes = [definition.recipe_of(row) for row in rows]
    recipes += [definition.sparse_recipe_of(row) for row in rows if row.threshold is not None]
    epochs = sum(int(each.get("epochs", recipe.epochs)) for each in recipes)
    return epochs * epoch_s + len(rows) * (cost.latency_s + cost.evaluation_s)


def _budget_seconds(budget: str, epoch_s: float) -> float:
    """Return the seconds of work of a budget; of one in epochs, without latencies and scores."""
    parsed = parse_budget(budget)
    return parsed.seconds if parsed.seconds is not None else (parsed.epochs or 0) * epoch_s
