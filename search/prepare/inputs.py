"""What a study starts from: its data, its parent before any training, and recipes with every field settled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from objectives.data.dataset import Dataset, open_dataset
from objectives.recipe import Recipe
from search.prepare.lineage import Stock
from search.record.folders import RunFolder
from search.study.definition import StudyDefinition
from search.study.faults import DefinitionError
from search.study.recipe import Resolved, Source, image_size, resolve_recipe
from search.study.rows import RowSection
from spaces.base import ParamValue
from spaces.networks.checkpoint import hash_of
from spaces.networks.parent import Parent
from spaces.networks.weights import WeightsFile, read_weights


def check_device(device: str) -> None:
    """Make sure that training can run there.

    Args:
        device: `cpu`, `mps`, or a GPU as `0` or `cuda:0`.

    Raises:
        DefinitionError: If this machine has no such device, or the text names none.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "mps" and torch.backends.mps.is_available()):
        return
    number = device.removeprefix("cuda:")
    if number.isdecimal() and int(number) < gpus:
        return
    here = ", ".join(["cpu", *map(str, range(gpus))])
    raise DefinitionError(f"--device is '{device}'; this machine has {here}")


def data_of(definition: StudyDefinition, folder: RunFolder) -> Dataset:
    """The study's data set, checked."""
    return open_dataset(definition.data.source, folder.data, seed=definition.seed)


@dataclass(frozen=True)
class Start:
    """The parent before its training.

    Attributes:
        as_is: The weights given are a detector for exactly these classes: nothing is to be trained.
        weights: What was read from the user's file, if there is one.
    """

    parent: Parent
    as_is: bool
    weights: WeightsFile | None
    weights_hash: str | None


def start_of(definition: StudyDefinition, data: Dataset) -> Start:
    """Read the parent's weights, or lay out its structure with fresh ones."""
    path = definition.parent.weights
    weights = None if path is None else read_weights(Path(path))
    imgsz = _imgsz(definition, data, weights)
    parent = Parent.load(
        definition.parent.model if weights is None or weights.model is None else None,
        classes=data.classes,
        imgsz=imgsz,
        seed=definition.seed,
        weights=None if path is None else Path(path),
    )
    content = None if path is None else _content_hash(Path(path))
    start = Start(parent, parent.weights_match, weights, content)
    _check_start(definition, start, data)
    return start


def _check_start(definition: StudyDefinition, start: Start, data: Dataset) -> None:
    """What a definition can only be found wrong in once the parent is known; before anything is trained.

    Raises:
        DefinitionError: If scales are to rank channels of a parent that is taken as it is and saw no sparsity, or
            bottlenecks are to be dropped where there are none.
        SpaceError: If a control's model or weights cannot be read.
    """
    if start.as_is and definition.reads_parents_scales:
        sparsity = start.weights.train_args.get("sparsity") if start.weights else None
        if not sparsity:
            raise DefinitionError(
                "criterion batchnorm: the parent's weights are taken as they are, and they do not say that they were "
                "trained with sparsity; take another criterion, or cut from a donor whose recipe sets sparsity"
            )
    if getattr(definition.space, "repeats", False) and not start.parent.repeats:
        raise DefinitionError("space.repeats is true, but the parent has no residual bottleneck that could be dropped")
    for row in definition.controls:
        if not row.sources:
            stock_of(definition, row, start, data)


def recipe_of(fixed: Mapping[str, ParamValue], start: Start, data: Dataset) -> Recipe:
    """A recipe with every field settled, from the fields that a study sets."""
    train_args = {} if start.weights is None else start.weights.train_args
    resolved = resolve_recipe(fixed, data.defaults, train_args, Resolved(start.parent.imgsz, Source.STUDY))
    return Recipe.from_plain({name: each.value for name, each in resolved.items()})


def stock_of(definition: StudyDefinition, row: RowSection, start: Start, data: Dataset) -> Stock:
    """A control that is a detector of its own; its recipe is the parent's, changed by its own fields."""
    path = None if row.weights is None else Path(row.weights)
    model = Parent.load(row.model, classes=data.classes, imgsz=start.parent.imgsz, seed=definition.seed, weights=path)
    recipe = recipe_of(definition.recipe_of(row), start, data)
    weights_hash = None if path is None else _content_hash(path)
    return Stock(row.name, model, weights_hash, recipe, also_f1=row.also is not None)


def _imgsz(definition: StudyDefinition, data: Dataset, weights: WeightsFile | None) -> int:
    checkpoint = None if weights is None else weights.imgsz
    return int(image_size(definition.data.imgsz, data.defaults, checkpoint).value)


def _content_hash(path: Path) -> str:
    if path.is_dir():
        return hash_of(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
