"""Reads an Ultralytics detection YAML as inert data: its classes, and the images of each split.

Nothing is downloaded, imported or executed. Paths are resolved as Ultralytics documents:

- a missing `path` means the folder of the YAML; `path: .` means the working directory;
- a relative `path` is looked for in the working directory, beside the YAML, in `datasets` in the working directory
  and beside it; the first that exists counts;
- a split is a folder, a list of folders, or a `.txt` file with one image path a line. `./` begins a path relative to
  the `.txt`; other relative lines are looked for in the working directory, beside the `.txt`, under `path`;
- further splits are `minival`, every key that begins with `test`, and any other key whose value looks like images
  (a folder below `images`, or a list) and has labels;
- the label of `.../images/a/b.jpg` is `.../labels/a/b.txt` (the last `images` counts), else the `.txt` beside it.

Source: https://docs.ultralytics.com/datasets/detect
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spaces.base import MOST_CLASSES, SpaceError
from spaces.path_facts import path_fact
from spaces.shown import shown
from spaces.suggestion import did_you_mean

IMAGE_SUFFIXES = frozenset(
    {"avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp"}
)
_NOT_SPLITS = frozenset({"path", "train", "val", "validation", "names", "nc", "channels", "yaml_file", "masks_dir"})
_LARGEST_YAML_BYTES = 2 * 1024**2
_LARGEST_LIST_BYTES = 512 * 1024**2
_MOST_EVENTS = 10 * MOST_CLASSES  # of the YAML's text: what begins, ends or is a value
_DEEPEST = 50  # levels of lists and mappings
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast as the loader in Python


class DataError(SpaceError):
    """Fault of the data set. The message names the file (and line) and what is right; nothing was trained."""


@dataclass(frozen=True)
class Definition:
    """Content of the YAML, with absolute paths.

    Attributes:
        root: The folder that file names in `Dataset.key` are relative to.
        images: Image files of each split, sorted; train and val first.
        roots: For each split the folders it names; empty where it is made of lists.
    """

    file: Path
    classes: tuple[str, ...]
    root: Path
    images: Mapping[str, tuple[Path, ...]]
    roots: Mapping[str, tuple[Path, ...]]


def label_path(image: Path | str) -> str:
    """Return the path at which Ultralytics looks for the label of an image."""
    return "/labels/".join(str(image).rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt"


def read_definition(source: Path) -> Definition:
    """Read a data set YAML (or the one YAML in a folder) and list its images.

    Raises:
        DataError: If the file, a key, a folder or a list is wrong.
    """
    file = _yaml_file(source)
    content, lines = _parse(file)

    def fail(key: str, message: str) -> DataError:
        return DataError(f"{shown(file)}:{lines.get(key, 1)}: {message}")

    if content.get("download"):
        raise fail(
            "download",
            "'download:' is refused, because it can hold code that would be executed; fetch the images yourself and "
            "remove this key",
        )
    if content.get("kpt_shape") is not None:
        raise fail("kpt_shape", "this is a pose data set; only detection is supported")
    if content.get("channels") not in (None, 3):
        raise fail("channels", f"images have {_short(content['channels'])} channels; only 3 are supported")
    if content.get("val") is None and content.get("validation") is not None:
        content["val"], lines["val"] = content["validation"], lines["validation"]
    classes = _classes(content, fail)
    root = _root(content, file, fail)
    images: dict[str, tuple[Path, ...]] = {}
    roots: dict[str, tuple[Path, ...]] = {}
    for key in ("train", "val"):
        if not content.get(key):
            raise fail(key, f"key '{key}' is missing; a data set needs 'train' and 'val'")
    for key in ("train", "val", *(key for key in content if key not in _NOT_SPLITS)):
        if not content[key]:
            continue
        required = key in ("train", "val", "minival") or key.startswith("test")
        if not required and not _may_hold_images(content[key]):
            continue  # some other key: licence, version, annotations, ...
        try:
            found = _split(content[key], root, required)
        except DataError as error:
            if required:
                raise fail(key, f"'{key}': {error}") from None
            continue
        if required or any(os.path.isfile(label_path(image)) for image in found[0]):
            images[key], roots[key] = found
    return Definition(file, classes, root, images, roots)


def _yaml_file(source: Path) -> Path:
    if os.path.isdir(source):
        usual, found = source / "data.yaml", sorted(file for file in source.glob("*.y*ml") if file.is_file())
        files = [usual] if usual.is_file() else found
        if not files:
            raise DataError(f"{shown(source)} holds no data set YAML: {path_fact(source)}")
        if len(files) > 1:
            raise DataError(f"{shown(source)}: a folder with {len(files)} YAML files; name the one that is meant")
        return files[0].absolute()
    if not os.path.isfile(source):
        hint = did_you_mean(str(source), ["digits"], "give 'digits' or the path of an Ultralytics data set YAML")
        raise DataError(f"there is no data set '{shown(source)}': {path_fact(source)}; {hint}")
    if source.stat().st_size > _LARGEST_YAML_BYTES:
        raise DataError(f"{shown(source)}: {source.stat().st_size} bytes is no data set YAML")
    return source.absolute()


def _parse(file: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the top-level mapping, and the line of each of its keys."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
        _check_size(file, text)
        node = yaml.compose(text, Loader=_Loader)
        content = yaml.load(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(file)}: not a text file in UTF-8 (byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError(f"{shown(file)}:{line}: not plain YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{shown(file)}: not plain YAML: {shown(str(error).splitlines()[0])}") from None
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        raise DataError(f"{shown(file)}: not a data set YAML; it needs the keys train, val and names")
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    return {str(key): value for key, value in content.items()}, lines


def _check_size(file: Path, text: str) -> None:
    """Refuse a YAML of too many values, or of too many levels, before anything is built of it."""
    level = 0
    for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if number > _MOST_EVENTS or level > _DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise DataError(f"{shown(file)}:{line}: too long or too deep for a data set YAML")


def _classes(content: Mapping[str, Any], fail: Any) -> tuple[str, ...]:
    names, count = content.get("names"), content.get("nc")
    number = _whole_number(count)
    if count is not None and number is None:
        raise fail("nc", f"'nc: {_short(count)}' is not a number of classes; give 1 to {MOST_CLASSES}")
    if isinstance(names, list | dict) and len(names) > MOST_CLASSES:
        raise fail("names", f"'names' has {len(names)} classes; at most {MOST_CLASSES} are possible")
    if names is None and number is not None:
        return tuple(f"class_{i}" for i in range(number))
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise fail("names", "'names' is missing; give the class names as a list or as 'number: name'")
    if any(isinstance(name, list | dict | set) for name in names.values()):
        raise fail("names", "'names' holds more than one name for a class")
    try:
        by_number = {int(key): str(name) for key, name in names.items()}
    except (TypeError, ValueError, OverflowError):
        raise fail("names", "'names' has a key that is not a class number") from None
    if sorted(by_number) != list(range(len(names))):
        raise fail("names", f"'names' has {len(names)} classes; their numbers must be 0 to {len(names) - 1}")
    if number not in (None, len(names)):
        raise fail("nc", f"'nc' is {number} but 'names' has {len(names)} classes")
    return tuple(by_number[number] for number in range(len(names)))


def _whole_number(value: Any) -> int | None:
    """Return a number of classes, also as `3.0` or `'3'` as Ultralytics allows; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if not isinstance(value, bool) and number.is_integer() and 1 <= number <= MOST_CLASSES else None


def _short(value: object) -> str:
    if not isinstance(value, str | int | float) or (isinstance(value, int) and value.bit_length() > 64):
        return type(value).__name__  # too long to be shown, or nested
    return shown(repr(value))[:60]


def _root(content: Mapping[str, Any], file: Path, fail: Any) -> Path:
    given = content.get("path")
    if not given:
        return file.parent.resolve()
    if not isinstance(given, str):
        raise fail("path", f"'path: {_short(given)}' is not a path")
    here = Path.cwd()
    for base in (here, file.parent, here / "datasets", here.parent / "datasets"):
        if _exists(base / given):
            return (base / given).resolve()
    raise fail("path", f"'path: {shown(given)}' does not exist (a missing 'path' means the folder of this file)")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def _may_hold_images(value: Any) -> bool:
    """Return whether a key that is unknown to Ultralytics can be a split: its paths look like folders of images."""
    places = value if isinstance(value, list) else [value]
    return all(isinstance(x, str) and ("images" in Path(x).parts or x.endswith(".txt")) for x in places)


def _split(value: Any, root: Path, required: bool) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    places = value if isinstance(value, list) else [value]
    if not all(isinstance(place, str) for place in places):
        raise DataError(f"{_short(value)} is not a folder, a list of folders or a .txt list")
    images: list[str] = []
    folders: list[Path] = []
    for place in places:
        path = root / place
        if not _exists(path) and place.startswith("../"):
            path = root / place[3:]  # paths in exports of Roboflow are one level off; Ultralytics corrects them
        if not _exists(path):
            hint = f" ('path' is {shown(root)})" if not Path(place).is_absolute() else ""
            raise DataError(f"{shown(os.path.normpath(path))} does not exist{hint}")
        if path.is_dir():
            folders.append(_as_written(path))
            images.extend(_walk(folders[-1]))
        elif path.suffix == ".txt" and path.is_file():
            images.extend(_listed(path.resolve(), root))
        else:
            raise DataError(f"{shown(path)} is neither a folder nor a .txt list")
    if required and not images:
        raise DataError(f"no images in {', '.join(shown(root / place) for place in places)}")
    only_folders = len(folders) == len(places)
    return tuple(Path(image) for image in sorted(images)), tuple(folders) if only_folders else ()


def _as_written(folder: Path) -> Path:
    """Return a path without `..`. Links stay, because labels are looked for beside the path as it is written first."""
    plain = Path(os.path.normpath(folder))
    return plain if _exists(plain) and plain.samefile(folder) else folder.resolve()


def _walk(folder: Path) -> Iterator[str]:
    """Yield the images below a folder; links are followed, hidden names are left out."""

    def unreadable(error: OSError) -> None:
        raise DataError(f"{shown(error.filename)} cannot be read: {error.strerror}")

    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and name.rpartition(".")[2].lower() in IMAGE_SUFFIXES:
                yield os.path.join(parent, name)


def _listed(file: Path, root: Path) -> Iterator[str]:
    if (size := file.stat().st_size) > _LARGEST_LIST_BYTES:
        raise DataError(f"{shown(file)}: {size / 1024**2:.0f} MiB is no list of images")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{shown(file)} is not a text file in UTF-8") from None
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        if not entry:
            continue
        bases = [file.parent] if entry.startswith("./") else [Path.cwd(), file.parent, root]
        found = next((base / entry for base in bases if _exists(base / entry)), None)
        if found is None:
            raise DataError(f"{shown(file)}:{number}: image {shown(entry)} does not exist")
        if found.suffix[1:].lower() not in IMAGE_SUFFIXES:
            raise DataError(f"{shown(file)}:{number}: {shown(entry)} is not an image")
        yield os.path.normpath(found)
