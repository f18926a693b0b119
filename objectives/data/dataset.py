"""Data sets: found, checked before any training, and identified by a key of their content.

`open_dataset("digits", cache)` is the built-in set; `open_dataset("my.yaml", cache)` takes any Ultralytics data set
with label files. Ultralytics' own `labels/*.cache` files are pickles: they are neither read nor written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from objectives.data.check import Checked, check_all, check_image, check_labels, without_bad
from objectives.data.check_memory import CheckMemory
from objectives.data.coco_json import write_labels
from objectives.data.digit_scenes import write_digits
from objectives.data.doubts import doubts_of, near_duplicates_of_train
from objectives.data.label_files import LabelFiles
from objectives.data.places import label_path
from objectives.data.split import WHOLE, Selection, Split
from objectives.data.yaml_file import Definition, read_definition
from objectives.data.yaml_text import DataError
from objectives.tasks.base import Task
from objectives.tasks.detect import DETECTION
from objectives.tasks.digit_sets import BUILT_IN
from objectives.tasks.label_form import LabelForm
from spaces.base import ParamValue
from spaces.durable import update_text
from spaces.shown import shown

__all__ = ["DataError", "Dataset", "open_dataset"]
_CLASSES_SHOWN = 20
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True)
class Dataset:
    """A data set that passed every check.

    Attributes:
        name: `digits`, or the name of the YAML's folder or file.
        yaml: Our own copy of the definition with absolute paths, for Ultralytics.
        classes: Class names by class number.
        splits: `train`, `val`, then further test splits under the YAML's names.
        key: Hash of classes, file names (relative) and contents: equal data, equal keys, on any machine.
        defaults: Training arguments that belong to this data, named as Ultralytics' (empty for a user's data).
        warnings: Likely mistakes that may be intended, one line each.
        selection: Part of the data that is used; the splits hold its images.
        numbered: Number of classes in the label files, where that is not the number of `classes`.
        task: Task that its labels are for.
        facts: What its YAML says of the labels, such as the number of keypoints.
        augmentation: Further ones of `defaults`, that are no fields of a recipe.
    """

    name: str
    yaml: Path
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    key: str
    defaults: Mapping[str, ParamValue] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    selection: Selection = WHOLE
    numbered: int | None = None
    task: Task = DETECTION
    facts: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Mapping[str, ParamValue] = field(default_factory=dict)

    @property
    def label_form(self) -> LabelForm:
        """Form of its label rows."""
        return self.task.label_form(self.facts)

    def require_no_doubt(self) -> None:
        """Raise the warnings as one error, if there are any.

        Raises:
            DataError: If the data set has warnings.
        """
        if self.warnings:
            listed = "".join(f"\n  {line}" for line in self.warnings)
            raise DataError(f"data set '{shown(self.name)}' is doubtful, and --strict allows no doubt:{listed}")


def open_dataset(
    source: str | Path,
    cache: Path,
    seed: int = 0,
    *,
    scenes: Mapping[str, int] | None = None,
    skip_bad: bool = False,
    selection: Selection = WHOLE,
    task: Task = DETECTION,
) -> Dataset:
    """Open a data set and check all of it; a check that passed is remembered until a file changes.

    Args:
        source: `digits` or another built-in set, or the path of an Ultralytics YAML.
        cache: Folder for our own files: the digits, the resolved YAML, the memory of checks.
        seed: Seed of the digits; not used for a YAML.
        scenes: Number of digit scenes of each split, by default those of the set; not used for a YAML.
        skip_bad: True if a few images that cannot be used are left out, with a warning.
        selection: Part of the data that is used.
        task: Task that the labels are read for.

    Raises:
        DataError: If anything is wrong with the data; the first problems are named with file and line.
    """
    cache = cache.absolute()
    if str(source) in BUILT_IN:
        own = BUILT_IN[str(source)]
        definition = read_definition(write_digits(cache, seed, scenes or own.scenes, str(source)), task)
        data = _checked(definition, str(source), cache, own.defaults, selection, task)
        return replace(data, augmentation=own.augmentation)
    definition = read_definition(Path(source).expanduser(), task)
    stem = definition.file.stem
    name = definition.file.parent.name if stem == "data" else stem
    return _checked(definition, name, cache, {}, selection, task, skip_bad=skip_bad)


def _checked(
    definition: Definition,
    name: str,
    cache: Path,
    defaults: Mapping[str, ParamValue],
    selection: Selection,
    task: Task,
    *,
    skip_bad: bool = False,
) -> Dataset:
    _check_selection(definition, selection)
    converted, notes = _converted(definition, cache) if task.finds_boxes else (_whole_images(definition, cache), ())
    files = LabelFiles(definition, converted)
    splits = {key: selection.of(Split(key, images, files.labels[key])) for key, images in definition.images.items()}
    form = task.label_form(definition.facts)
    memory = CheckMemory.load(cache, definition.file, len(definition.classes), _form_named(task, definition))
    digests: dict[Path, Checked] = {}
    images = [path for split in splits.values() for path in split.images]
    used = set(images)
    labels = [path for split in splits.values() for path in split.labels if path is not None]
    count = len(definition.classes)
    digests |= memory.check(labels, lambda paths: check_all(paths, partial(check_labels, classes=count, form=form)))
    digests |= memory.check(images, lambda paths: check_all(paths, check_image))
    for place in definition.places.values():
        absent = {image: problem for image, problem in place.absent.items() if image in used}
        digests |= {image: Checked("", (problem,)) for image, problem in absent.items()}
    splits, skipped = without_bad(splits, digests, skip=skip_bad)
    splits, warnings = _usable(definition.file, splits, digests, selection)
    warnings = [*definition.notes, *notes, *skipped, *warnings]
    warnings += [*files.doubts(list(splits)), *doubts_of(splits, definition.classes, digests)]
    warnings += _near_duplicates(splits, digests, memory)
    memory.save()
    key = _key(definition, splits, digests, selection, task)
    listed = bool(skipped) or selection.fraction < 1
    copied = _write_yaml(cache, f"{name}-{key[:12]}", definition, splits, lists=listed)
    classes = selection.names(definition.classes)
    return Dataset(
        name,
        copied,
        classes,
        splits,
        key,
        defaults,
        tuple(warnings),
        selection,
        len(definition.classes),
        task,
        definition.facts,
    )


def _form_named(task: Task, definition: Definition) -> str:
    """Return the form of the labels as text; empty for boxes."""
    return "" if task == DETECTION else f" {task.name} {sorted(definition.facts.items())}"


def _check_selection(definition: Definition, selection: Selection) -> None:
    last = len(definition.classes) - 1
    for number in selection.classes or ():
        if not 0 <= number <= last:
            named = ", ".join(
                f"{at} {shown(name)}" for at, name in list(enumerate(definition.classes))[:_CLASSES_SHOWN]
            )
            raise DataError(f"data.classes names {number}; {shown(definition.file)} has the classes {named}")


def _converted(definition: Definition, cache: Path) -> tuple[Mapping[Path, Path] | None, tuple[str, ...]]:
    """Return label files made of JSON files, and what is odd about these; None if the data set has label files."""
    if not definition.annotations:
        return None, ()
    return write_labels(definition.annotations, definition.places, definition.classes, definition.root, cache)


def _whole_images(definition: Definition, cache: Path) -> dict[Path, Path]:
    """Return a label file for each image of a classification set: a box around the image, of its folder's class."""
    files: dict[str, Path] = {}
    for number, name in enumerate(definition.classes):
        files[name] = cache / f"class-{number}.txt"
        update_text(files[name], f"{number} 0.5 0.5 1 1\n")
    return {image: files[image.parent.name] for images in definition.images.values() for image in images}


def _near_duplicates(splits: Mapping[str, Split], checked: Mapping[Path, Checked], memory: CheckMemory) -> list[str]:
    """Return a line for each split with near-duplicates of images of train; what was found before is remembered."""
    lines: list[str] = []
    for name in splits:
        if name != "train":
            compared = [(image, checked[image].digest) for of in ("train", name) for image in splits[of].images]
            find = partial(near_duplicates_of_train, name, splits, checked)
            lines += memory.lines(f"near-duplicates in {name}", str(compared), find)
    return lines


def _usable(
    file: Path, splits: Mapping[str, Split], digests: Mapping[Path, Checked], selection: Selection
) -> tuple[dict[str, Split], list[str]]:
    """Return the splits that have labels; train and val must have them."""
    usable: dict[str, Split] = {}
    warnings: list[str] = []
    for name, split in splits.items():
        if any(selection.has(digests[label].classes) for label in split.labels if label is not None):
            usable[name] = split
        elif name in ("train", "val"):
            expected = shown(label_path(split.images[0]))
            raise DataError(f"{shown(file)}: '{name}' has no labelled object; its first label file would be {expected}")
        else:
            warnings.append(f"split '{name}' has no labels: it gets no columns")
    return usable, warnings


def _key(
    definition: Definition,
    splits: Mapping[str, Split],
    digests: Mapping[Path, Checked],
    selection: Selection,
    task: Task,
) -> str:
    digest = hashlib.sha256()

    def add(*parts: str) -> None:
        for part in parts:
            digest.update(os.fsencode(part) + b"\0")

    add("classes", *definition.classes)
    for name, split in splits.items():
        add("split", name)
        for image, label in zip(split.images, split.labels, strict=True):
            relative = os.path.relpath(image, definition.root)
            add(relative, digests[image].digest, digests[label].digest if label is not None else "")
    if selection.classes is not None or selection.single_cls:  # a fraction shows in the files
        add("selection", str(sorted(set(selection.classes or ()))), str(selection.single_cls))
    if form := _form_named(task, definition):
        add("labels", form)
    return digest.hexdigest()[:32]


def _write_yaml(cache: Path, stem: str, definition: Definition, splits: Mapping[str, Split], *, lists: bool) -> Path:
    content: dict[str, object] = {"path": str(definition.root)}
    for name, split in splits.items():
        folders = definition.roots[name]
        if folders and not lists:
            content[name] = [str(folder) for folder in folders]
        else:
            listed = cache / f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:6]}.txt"
            update_text(listed, "".join(f"{image}\n" for image in split.images))
            content[name] = str(listed)
    content["names"] = dict(enumerate(definition.classes))
    content |= definition.facts
    file = cache / f"{stem}.yaml"
    update_text(file, yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
    return file
