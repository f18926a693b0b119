"""Boxes from JSON files in the format of COCO, rewritten as label files in our own folder: nobody has to convert first.

Classes are the categories, by name if the YAML has `names`, else in the order of their numbers. Crowds are left out, as
Ultralytics' converter leaves them out. Segmentations are not read; the boxes beside them are.

Source: https://cocodataset.org/#format-data; `ultralytics.data.converter.convert_coco`
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from objectives.data.places import Place
from objectives.data.yaml_text import DataError
from spaces.durable import make_folder
from spaces.foreign.plain_json import Fields, read_json_file
from spaces.shown import shown, shown_value

LARGEST_BYTES = 2 * 2**30
"""Maximum size of a JSON file: that of COCO's training set has 0.45 GB."""
Row = tuple[int, float, float, float, float]
"""Category, and centre x, y, width and height as shares of the image."""


@dataclass(frozen=True)
class Annotations:
    """Content of one JSON file.

    Attributes:
        categories: Names by number.
        rows: Boxes by the file name of the image; an image without any has an empty list.
        crowds: Number of crowds, which are left out.
    """

    file: Path
    categories: Mapping[int, str]
    rows: Mapping[str, Sequence[Row]]
    crowds: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the categories in the order of their numbers."""
        return tuple(name for _, name in sorted(self.categories.items()))


def read_annotations(file: Path) -> Annotations:
    """Read a JSON file; a second time in this process only if it has changed.

    Raises:
        DataError: If it cannot be read, or is not in the format of COCO.
    """
    try:
        return _read(file, file.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(f"{shown(file)} cannot be read: {error.strerror}") from None


def class_names(files: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the names of the categories, which must be the same in all files.

    Raises:
        DataError: If they differ, or a file is wrong.
    """
    found = {file: read_annotations(file).names for file in files.values()}
    first, *others = found.items()
    for file, names in others:
        if names != first[1]:
            raise DataError(
                f"{shown(file)} has other categories than {shown(first[0].name)}; name the classes in the YAML"
            )
    return first[1]


def write_labels(
    files: Mapping[str, Path], places: Mapping[str, Place], classes: Sequence[str], root: Path, cache: Path
) -> tuple[dict[Path, Path], tuple[str, ...]]:
    """Write a label file for each image that a JSON file names.

    Args:
        files: JSON file of each split.
        root: Folder that the names of label files are relative to.
        cache: Folder for a folder of label files; equal ones are written once.

    Returns:
        The label files by image, and what is odd, one line each.

    Raises:
        DataError: If a category is no class of the data set, or a file is wrong.
    """
    texts: dict[str, str] = {}
    names: dict[Path, str] = {}
    notes: list[str] = []
    shared = Counter(files.values())
    for split, place in places.items():
        if split not in files:
            continue
        found = read_annotations(files[split])
        numbers = _class_numbers(found, classes)
        used = _matched(found, place)
        for image, name in used.items():
            names[image] = os.path.join(split, _label_name(image, root))
            texts[names[image]] = "".join(_label_row(numbers, row) for row in found.rows[name])
        missing = len(found.rows) - len(set(used.values()))
        if missing and shared[files[split]] == 1:
            of = f"{len(found.rows)} images of {shown(found.file.name)}"
            notes.append(f"split '{split}': {missing} of {of} are not there")
    crowds = sum(read_annotations(file).crowds for file in shared)
    if crowds:
        notes.append(f"{crowds} annotations of crowds are left out, as Ultralytics' converter does")
    digest = hashlib.sha256(os.fsencode(repr(sorted(texts.items())))).hexdigest()[:16]
    folder = cache / f"labels-{digest}"
    make_folder(folder, partial(_write, texts))
    return {image: folder / name for image, name in names.items()}, tuple(notes)


def _write(texts: Mapping[str, str], folder: Path) -> None:
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")


def _label_row(numbers: Mapping[int, int], row: Row) -> str:
    return f"{numbers[row[0]]} " + " ".join(f"{value:.9g}" for value in row[1:]) + "\n"


@lru_cache(maxsize=4)
def _read(file: Path, _changed: int) -> Annotations:
    plain = read_json_file(file, DataError, most_bytes=LARGEST_BYTES)
    content = Fields.of(plain, shown(file), DataError)
    for key in ("images", "annotations", "categories"):
        if key not in content:
            raise DataError(f"{shown(file)} lacks '{key}'; it must be JSON in the format of COCO")
    categories = {each.whole("id", high=2**53): each.text("name") for each in content.each("categories")}
    if not categories or len(set(categories.values())) != len(categories):
        raise DataError(f"{shown(file)}: the categories have no names, or two of them have the same")
    images = {each.whole("id", high=2**53): each for each in content.each("images")}
    rows: dict[str, list[Row]] = {each.text("file_name").replace("\\", "/"): [] for each in images.values()}
    crowds = 0
    for each in content.each("annotations"):
        if each.values.get("iscrowd"):
            crowds += 1
            continue
        number = each.whole("image_id", high=2**53)
        if number not in images:
            raise DataError(f"{each.where}: no image has the number {number}")
        if each.whole("category_id", high=2**53) not in categories:
            raise DataError(f"{each.where}: no category has the number {each.raw('category_id')}")
        image = images[number]
        rows[image.text("file_name").replace("\\", "/")].append(_row(each, image))
    return Annotations(file, categories, rows, crowds)


def _row(annotation: Fields, image: Fields) -> Row:
    box = annotation.listed("bbox")
    if len(box) != 4 or not all(isinstance(value, int | float) for value in box):
        raise DataError(f"{annotation.where}: 'bbox' is {shown_value(list(box))}; it must be x, y, width, height in px")
    width, height = image.whole("width", low=1), image.whole("height", low=1)
    left, top, across, down = map(float, box)
    return (
        annotation.whole("category_id", high=2**53),
        (left + across / 2) / width,
        (top + down / 2) / height,
        across / width,
        down / height,
    )


def _class_numbers(found: Annotations, classes: Sequence[str]) -> dict[int, int]:
    """Return the class number of each category."""
    unknown = [name for name in found.categories.values() if name not in classes]
    used = {row[0] for rows in found.rows.values() for row in rows}
    for number, name in found.categories.items():
        if name in unknown and number in used:
            raise DataError(f"{shown(found.file)}: the category {shown_value(name)} is no class of the YAML ('names')")
    return {number: classes.index(name) for number, name in found.categories.items() if name not in unknown}


def _matched(found: Annotations, place: Place) -> dict[Path, str]:
    """Return the name in the JSON file of each image of a split: the path below its folder, else the file name."""
    plain = Counter(name.rpartition("/")[2] for name in found.rows)
    by_file = {name.rpartition("/")[2]: name for name in found.rows if plain[name.rpartition("/")[2]] == 1}
    matched: dict[Path, str] = {}
    for image in place.images:
        names = [name for name in _names_of(image, place) if name in found.rows]
        name = names[0] if names else by_file.get(image.name)
        if name is not None:
            matched[image] = name
    return matched


def _names_of(image: Path, place: Place) -> Iterator[str]:
    for folder in place.folders:
        if image.is_relative_to(folder):
            yield image.relative_to(folder).as_posix()
    parts = image.parts
    yield from ("/".join(parts[begin:]) for begin in range(1, len(parts)))


def _label_name(image: Path, root: Path) -> str:
    relative = os.path.relpath(image, root)
    if relative.startswith(os.pardir):
        relative = os.path.join(hashlib.sha256(os.fsencode(image.parent)).hexdigest()[:8], image.name)
    return f"{relative}.txt"
