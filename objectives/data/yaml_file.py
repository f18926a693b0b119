"""Reads an Ultralytics detection YAML as inert data: its classes, and the images of each split.

Nothing is downloaded, imported or executed. Paths are resolved as Ultralytics documents:

- a missing `path` means the folder of the YAML; `path: .` means the working directory;
- a relative `path` is looked for in the working directory, beside the YAML, in `datasets` in the working directory
  and beside it; the first that exists counts;
- a split is a folder, a list of folders, or a `.txt` file with one image path a line. `./` begins a path relative to
  the `.txt`; other relative lines are looked for in the working directory, beside the `.txt`, under `path`;
- `train` and `val` must be there. Further splits are `minival` and every key that begins with `test`, which are left
  out with a note if their images are missing, and any other key whose value looks like images (a folder below
  `images`, or a list) and has labels;
- `annotations` names a JSON file in the format of COCO, for all splits or (a mapping) for each;
- the label of `.../images/a/b.jpg` is `.../labels/a/b.txt` (the last `images` counts), else the `.txt` beside it.

Source: https://docs.ultralytics.com/datasets/detect
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from objectives.data.coco_json import class_names
from objectives.data.places import (
    Place,
    archives_in,
    class_folders,
    exists,
    images_at,
    is_windows,
    label_path,
    present_part,
)
from objectives.data.yaml_text import DataError, is_count, read_yaml, short_value, whole_number
from objectives.tasks.base import LabelFactsError, Task
from objectives.tasks.detect import DETECTION
from spaces.base import MOST_CLASSES
from spaces.path_facts import path_fact
from spaces.shown import shown
from spaces.suggestion import did_you_mean

ANNOTATIONS = "annotations"
"""Key of JSON files in the format of COCO, in place of label files."""
_NOT_SPLITS = frozenset(
    {"path", "train", "val", "validation", "names", "nc", "channels", "yaml_file", "masks_dir", ANNOTATIONS}
)
_LARGEST_YAML_BYTES = 2 * 1024**2


@dataclass(frozen=True)
class Definition:
    """Content of the YAML, with absolute paths.

    Attributes:
        root: The folder that file names in `Dataset.key` are relative to.
        places: Images of each split, and where they are listed; train and val first.
        notes: One line for each thing that was left out or guessed.
        annotations: For each split a JSON file with its boxes; empty where there are label files.
        facts: What the YAML says of the labels of the task, such as the number of keypoints.
    """

    file: Path
    classes: tuple[str, ...]
    root: Path
    places: Mapping[str, Place]
    notes: tuple[str, ...] = ()
    annotations: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> Mapping[str, tuple[Path, ...]]:
        """Image files of each split, sorted."""
        return {name: place.images for name, place in self.places.items()}

    @property
    def roots(self) -> Mapping[str, tuple[Path, ...]]:
        """For each split the folders it names; empty where it is made of lists."""
        return {name: place.folders for name, place in self.places.items()}


def read_definition(source: Path, task: Task = DETECTION) -> Definition:
    """Read a data set YAML (or the one YAML in a folder) and list its images.

    Raises:
        DataError: If the file, a key, a folder or a list is wrong.
    """
    if not task.finds_boxes:
        folder = source if os.path.isdir(source) else source.parent  # a built-in set has a YAML too
        classes, places = class_folders(folder.absolute())
        return Definition(folder.absolute(), classes, folder.absolute(), places)
    file = _yaml_file(source)
    content, lines, notes = read_yaml(file)

    def fail(key: str, message: str) -> DataError:
        return DataError(f"{shown(file)}:{lines.get(key, 1)}: {message}")

    _check_kind(content, fail)
    facts = _facts(content, task, fail)
    if content.get("val") is None and content.get("validation") is not None:
        content["val"], lines["val"] = content["validation"], lines["validation"]
    for key in ("train", "val"):
        if not content.get(key):
            raise fail(key, f"key '{key}' is missing; a data set needs 'train' and 'val'")
    root = _root(content, file, fail)
    annotations = _annotations(content, root, fail)
    classes = _classes(content, fail, annotated=bool(annotations)) or class_names(annotations)
    places, left_out = _splits(content, root, fail, bool(annotations))
    if annotations and task != DETECTION:
        raise fail(ANNOTATIONS, f"JSON files are read for boxes alone; {task.name} needs label files of YOLO's form")
    return Definition(file, classes, root, places, (*notes, *left_out), annotations, facts)


def _check_kind(content: Mapping[str, Any], fail: Any) -> None:
    """Refuse what is no data set for a detector, and code."""
    if content.get("download"):
        raise fail(
            "download",
            "'download:' is refused, because it can hold code that would be executed; fetch the images yourself and "
            "remove this key",
        )
    if content.get("channels") not in (None, 3):
        raise fail("channels", f"images have {short_value(content['channels'])} channels; only 3 are supported")


def _facts(content: Mapping[str, Any], task: Task, fail: Any) -> dict[str, Any]:
    """Return what the YAML says of the labels of a task."""
    try:
        return task.data_facts(content)
    except LabelFactsError as error:
        raise fail(error.key, str(error)) from None


def _splits(
    content: Mapping[str, Any], root: Path, fail: Any, annotated: bool
) -> tuple[dict[str, Place], tuple[str, ...]]:
    """Return the images of each split, and a line for each split that is left out."""
    places = {key: _required(content[key], root, key, fail) for key in ("train", "val")}
    notes: list[str] = []
    for key in content:
        value = content[key]
        usual = key == "minival" or key.startswith("test")
        if not value or key in _NOT_SPLITS or not _may_be_split(value, usual):
            continue  # some other key: licence, version, ...
        try:
            found = images_at(_as_list(value), root, key, may_be_empty=not usual)
        except DataError as error:
            if usual:
                notes.append(f"split '{key}' is left out: {error}")
            continue
        if usual or annotated or any(os.path.isfile(label_path(image)) for image in found.images):
            places[key] = found
    return places, tuple(notes)


def _required(value: Any, root: Path, key: str, fail: Any) -> Place:
    if not all(isinstance(place, str) for place in _as_list(value)):
        raise fail(key, f"'{key}': {short_value(value)} is not a folder, a list of folders or a .txt list")
    try:
        return images_at(_as_list(value), root, key, may_be_empty=False)
    except DataError as error:
        raise fail(key, f"'{key}': {error}") from None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _may_be_split(value: Any, usual: bool) -> bool:
    """Return whether a key's value can be a split: text; under a key that Ultralytics does not know, with images."""
    places = _as_list(value)
    if not all(isinstance(place, str) for place in places):
        return False
    return usual or all("images" in Path(place).parts or place.endswith(".txt") for place in places)


def _yaml_file(source: Path) -> Path:
    if os.path.isdir(source):
        return _yaml_in(source).absolute()
    if not os.path.isfile(source):
        hint = did_you_mean(str(source), ["digits"], "give 'digits' or the path of an Ultralytics data set YAML")
        raise DataError(f"there is no data set '{shown(source)}': {path_fact(source)}; {hint}")
    if zipfile.is_zipfile(source) or tarfile.is_tarfile(source):
        raise DataError(f"{shown(source)} is an archive; unpack it, and give the YAML (or the folder) in it")
    if source.suffix.lower() == ".json":
        raise DataError(
            f"{shown(source)} is JSON; write a YAML with 'train', 'val' (folders of images) and "
            f"'{ANNOTATIONS}: {shown(source.name)}', and give that"
        )
    if source.stat().st_size > _LARGEST_YAML_BYTES:
        raise DataError(f"{shown(source)}: {source.stat().st_size} bytes is no data set YAML")
    return source.absolute()


def _yaml_in(folder: Path) -> Path:
    """Return the one YAML in a folder, or below it: `data.yaml`, or one that is called as the folder, comes first."""
    found: list[Path] = []
    for pattern in ("*.y*ml", "*/*.y*ml", "*/*/*.y*ml"):
        found = found or sorted(file for file in folder.glob(pattern) if not file.is_dir())
    preferred = [file for file in found if file.stem in ("data", folder.absolute().name)]
    files = preferred if len(preferred) == 1 else found
    if not files:
        packed = archives_in(folder)
        hint = f"; {shown(packed[0])} in it is an archive: unpack it first" if packed else ""
        raise DataError(f"{shown(folder)} holds no data set YAML: {path_fact(folder)}{hint}")
    if len(files) > 1:
        raise DataError(f"{shown(folder)}: a folder with {len(files)} YAML files; name the one that is meant")
    return files[0]


def _classes(content: Mapping[str, Any], fail: Any, *, annotated: bool) -> tuple[str, ...]:
    """Return the class names in order; none where they stand in JSON files."""
    names, count = content.get("names"), content.get("nc")
    number = whole_number(count)
    if count is not None and number is None:
        raise fail("nc", f"'nc: {short_value(count)}' is not a number of classes; give 1 to {MOST_CLASSES}")
    if isinstance(names, list | dict) and len(names) > MOST_CLASSES:
        raise fail("names", f"'names' has {len(names)} classes; at most {MOST_CLASSES} are possible")
    if names is None and annotated:
        return ()
    if names is None and number is not None:
        return tuple(f"class_{i}" for i in range(number))
    if not isinstance(names, list | dict) or not names:
        raise fail("names", "'names' is missing; give the class names as a list or as 'number: name'")
    by_number = _by_number(names, fail)
    if number not in (None, len(names)):
        raise fail("nc", f"'nc' is {number} but 'names' has {len(names)} classes")
    return tuple(by_number[number] for number in range(len(names)))


def _by_number(names: list[Any] | dict[Any, Any], fail: Any) -> dict[int, str]:
    """Return names by class number, from a list, from `number: name` or from `name: number`."""
    named = dict(enumerate(names)) if isinstance(names, list) else names
    if any(isinstance(name, list | dict | set) for name in named.values()):
        raise fail("names", "'names' holds more than one name for a class")
    if all(isinstance(key, str) for key in named) and all(type(each) is int for each in named.values()):
        named = {number: name for name, number in named.items()} if not all(map(is_count, named)) else named
    try:
        by_number = {int(key): str(name) for key, name in named.items()}
    except (TypeError, ValueError, OverflowError):
        raise fail("names", "'names' has a key that is not a class number") from None
    if sorted(by_number) != list(range(len(names))):
        raise fail("names", f"'names' has {len(names)} classes; their numbers must be 0 to {len(names) - 1}")
    return by_number


def _root(content: Mapping[str, Any], file: Path, fail: Any) -> Path:
    given = content.get("path")
    if not given:
        return file.parent.resolve()
    if not isinstance(given, str):
        raise fail("path", f"'path: {short_value(given)}' is not a path")
    here = Path.cwd()
    for place in dict.fromkeys((given, given if is_windows(given) else given.replace("\\", "/"))):
        for base in (here, file.parent, here / "datasets", here.parent / "datasets"):
            if exists(base / place):
                return (base / place).resolve()
    kind = "is a Windows path" if is_windows(given) else "does not exist"
    train = next((each for each in _as_list(content["train"]) if isinstance(each, str)), "")
    remedy = "a missing 'path' means the folder of this file"
    if (part := present_part(train, [file.parent])) is not None:
        remedy = f"the folder of this file has {shown(part)}: remove the key 'path'"
        if part != train.removeprefix("./"):
            remedy += f", and write 'train: {shown(part)}'"
    elif (part := present_part(given, [file.parent])) is not None:
        remedy = f"the folder of this file has {shown(part)}: write 'path: {shown(file.parent.resolve() / part)}'"
    raise fail("path", f"'path: {shown(given)}' {kind} ({remedy})")


def _annotations(content: Mapping[str, Any], root: Path, fail: Any) -> dict[str, Path]:
    """Return the JSON file of each split; empty if the key is absent or names no JSON."""
    given = content.get(ANNOTATIONS)
    splits = [key for key in content if key not in _NOT_SPLITS or key in ("train", "val")]
    by_split = given if isinstance(given, dict) else dict.fromkeys(splits, given)
    if not by_split or not all(isinstance(each, str) and each.endswith(".json") for each in by_split.values()):
        return {}  # a licence, a folder, ... as in sets that only name where they came from
    named = {str(split): str(place) for split, place in by_split.items()}
    files = {split: root / place.replace("\\", "/") for split, place in named.items()}
    for split, file in files.items():
        if split in splits and not file.is_file():
            raise fail(ANNOTATIONS, f"'{ANNOTATIONS}': {shown(file)} does not exist ('path' is {shown(root)})")
    for split in ("train", "val"):
        if split not in files:
            raise fail(ANNOTATIONS, f"'{ANNOTATIONS}' names no JSON file for '{split}'")
    return {split: file.resolve() for split, file in files.items() if split in splits}
