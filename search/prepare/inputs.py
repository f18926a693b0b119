"""Reads what a study starts from: its data, its parent before any training, and complete recipes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from objectives.data.dataset import Dataset, open_dataset
from objectives.recipe import Recipe
from objectives.tasks.registry import task_named
from search.prepare.lineage import StockDetector
from search.prepare.moved_files import present_place, writable_data_folder
from search.record.folders import RunFolder
from search.study.definition import StudyDefinition
from search.study.faults import DefinitionError
from search.study.recipe import Resolved, Source, image_size, resolve_recipe
from search.study.rows import RowSection
from spaces.base import Categorical, Integer, ParamValue
from spaces.networks.checkpoint import hash_of
from spaces.networks.parent import Parent, check_size
from spaces.networks.weights import WeightsFile, read_weights
from spaces.structure.heads import task_of


def open_data(definition: StudyDefinition, folder: RunFolder, *, strict: bool = False) -> Dataset:
    """Open and check the study's data set.

    Raises:
        DataError: If it is wrong; with `strict` also if it is doubtful.
    """
    source = present_place(definition.data.source, folder)
    part = definition.data
    cache = writable_data_folder(folder)
    task = task_named(definition.task)
    data = open_dataset(
        source, cache, seed=definition.seed, skip_bad=part.skip_bad, selection=part.selection, task=task
    )
    if strict:
        data.require_no_doubt()
    return data


@dataclass(frozen=True)
class InitialParent:
    """The parent before its training.

    Attributes:
        is_trained: Whether the given weights are a detector for exactly these classes: it is not trained then.
        weights: Content of the user's weights file, if there is one.
    """

    parent: Parent
    is_trained: bool
    weights: WeightsFile | None
    weights_hash: str | None


class StudyInputs(NamedTuple):
    """The data and the initial parent of a study."""

    data: Dataset
    parent: InitialParent


def load_initial_parent(definition: StudyDefinition, data: Dataset) -> InitialParent:
    """Read the parent's weights, or build its structure with fresh ones.

    Raises:
        DefinitionError: If the study asks of the parent what it does not have.
        SpaceError: If the parent, or a control that is a model of its own, cannot be read.
    """
    path = definition.parent.weights
    weights = None if path is None else read_weights(Path(path))
    imgsz = _imgsz(definition, data, weights)
    parent = Parent.load(
        definition.parent.model if weights is None or weights.model is None else None,
        classes=data.classes,
        imgsz=imgsz,
        seed=definition.seed,
        weights=None if path is None else Path(path),
        as_is=definition.parent.as_is,
        facts=data.task.model_facts(data.facts),
    )
    _check_task("parent", parent, data)
    content = None if path is None else _content_hash(Path(path))
    initial = InitialParent(parent, parent.weights_match, weights, content)
    _check_against_parent(definition, StudyInputs(data, initial))
    return initial


def _check_task(where: str, parent: Parent, data: Dataset) -> None:
    if (task := task_of(parent.network)) != data.task.name:
        raise DefinitionError(f"{where} is a network for the task '{task}', and the study's task is '{data.task.name}'")


def _check_against_parent(definition: StudyDefinition, inputs: StudyInputs) -> None:
    """Check what can be wrong in a definition only once the parent is known, before anything is trained.

    Raises:
        DefinitionError: If BatchNorm scales rank channels, but the parent is not trained and its weights saw no
            sparsity; or if repeats are searched, but the parent has none that could be dropped.
        SpaceError: If a control's model or weights cannot be read.
    """
    initial = inputs.parent
    if initial.is_trained and definition.reads_parents_scales:
        sparsity = initial.weights.train_args.get("sparsity") if initial.weights else None
        if not sparsity:
            raise DefinitionError(
                "criterion batchnorm: the parent's weights are taken as they are, and they do not say that they were "
                "trained with sparsity; take another criterion, or cut from a donor whose recipe sets sparsity"
            )
    definition.space.check_parent(initial.parent)
    for size in _image_sizes(definition):
        check_size(initial.parent.network, size)
    for row in definition.controls:
        if not row.sources:
            load_stock_detector(definition, row, inputs)


def _image_sizes(definition: StudyDefinition) -> Iterator[int]:
    """Yield the image sizes that recipes set or search."""
    rows = (definition.recipe_of(row) for row in (*definition.donors, *definition.controls))
    yield from (int(fixed["imgsz"]) for fixed in (definition.recipe.fixed, *rows) if fixed.get("imgsz"))
    searched = definition.recipe.searched.get("recipe.imgsz")
    if isinstance(searched, Categorical):
        yield from (int(size) for size in searched.options)
    elif isinstance(searched, Integer):
        yield from range(searched.low, searched.high + 1, searched.step)


def complete_recipe(fixed: Mapping[str, ParamValue], inputs: StudyInputs) -> Recipe:
    """Return a recipe with a value for every field, from the fields that a study sets."""
    data, initial = inputs
    train_args = {} if initial.weights is None else initial.weights.train_args
    resolved = resolve_recipe(fixed, data.defaults, train_args, Resolved(initial.parent.imgsz, Source.STUDY))
    return Recipe.from_plain({name: each.value for name, each in resolved.items()})


def load_stock_detector(definition: StudyDefinition, row: RowSection, inputs: StudyInputs) -> StockDetector:
    """Read a control that is a model of its own. Its recipe is the study's, changed by its own fields."""
    data, initial = inputs
    path = None if row.weights is None else Path(row.weights)
    model = Parent.load(
        row.model,
        classes=data.classes,
        imgsz=initial.parent.imgsz,
        seed=definition.seed,
        weights=path,
        facts=data.task.model_facts(data.facts),
    )
    _check_task(f"control '{row.name}'", model, data)
    recipe = complete_recipe(definition.recipe_of(row), inputs)
    weights_hash = None if path is None else _content_hash(path)
    return StockDetector(
        name=row.name, parent=model, weights_hash=weights_hash, recipe=recipe, also_best_f1=row.also is not None
    )


def _imgsz(definition: StudyDefinition, data: Dataset, weights: WeightsFile | None) -> int:
    checkpoint = None if weights is None else weights.imgsz
    return int(image_size(definition.data.imgsz, data.defaults, checkpoint).value)


def _content_hash(path: Path) -> str:
    if path.is_dir():
        return hash_of(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
