"""Finds the label file of each image, and what is odd about where label files lie.

An image without a label file is a background image; whether that is meant cannot be seen. So such images are counted,
and so are label files without an image: a set that lost files is told from one that is whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from objectives.data.places import IMAGE_SUFFIXES, label_path
from objectives.data.yaml_file import Definition
from spaces.shown import shown

MOST_NAMED = 3
"""Maximum number of files or classes that a warning names."""
_NOT_LABELS = frozenset({"classes.txt", "predefined_classes.txt", "labels.txt", "readme.txt"})
_HEAD_BYTES = 400


class LabelFiles:
    """The label files of one data set. Each folder is listed once: cheaper than a system call for each file.

    Args:
        converted: Label files by image where the boxes come from JSON files; None where label files are looked for.
    """

    def __init__(self, definition: Definition, converted: Mapping[Path, Path] | None = None) -> None:
        self._definition = definition
        self._converted = converted
        self._listed: dict[str, frozenset[str]] = {}
        self._real: dict[str, str] = {}

    @cached_property
    def labels(self) -> Mapping[str, tuple[Path | None, ...]]:
        """Label files by split, one for each image; None for an image that has none."""
        return {
            name: tuple(self._label_of(image) for image in images) for name, images in self._definition.images.items()
        }

    def doubts(self, splits: Sequence[str]) -> Iterator[str]:
        """Yield a line for each likely mistake in where the label files of these splits lie."""
        for name in splits:
            if self._converted is None:
                yield from self._linked(name)
            yield from self._missing(name)
        if self._converted is None:
            yield from self._without_image(splits)

    def _label_of(self, path: Path) -> Path | None:
        if self._converted is not None:
            return self._converted.get(path)
        image = str(path)
        written = label_path(image)
        if self._is_there(written):
            return Path(written)
        behind = label_path(self._resolved(image))
        return Path(behind) if behind != written and self._is_there(behind) else None

    def _missing(self, name: str) -> Iterator[str]:
        images = self._definition.images[name]
        missing = [str(each) for each, label in zip(images, self.labels[name], strict=True) if label is None]
        if not missing:
            return
        count = f"{len(missing)} of {len(images)} images"
        if self._converted is not None:
            yield f"split '{name}': {count} are in no JSON file, they count as background {_names(missing)}"
            return
        yield f"split '{name}': {count} have no label file, they count as background {_names(missing)}"
        beside = [image for image in missing if self._is_there(_beside(image))]
        if beside:
            place = self._place(label_path(beside[0]))
            yield (
                f"split '{name}': {len(beside)} of these images have a .txt beside them, which is not read; "
                f"the first is looked for at {place}"
            )

    def _linked(self, name: str) -> Iterator[str]:
        """Tell which labels are taken where images lie behind a link and that makes a difference."""
        behind: list[str] = []
        ignored: list[tuple[str, str]] = []
        for image, label in zip(self._definition.images[name], self.labels[name], strict=True):
            written, target = label_path(image), label_path(self._resolved(str(image)))
            if label is None or written == target:
                continue
            if str(label) == target:
                behind.append(target)
            elif self._is_there(target) and not os.path.samefile(written, target):
                ignored.append((written, target))
        place = f"split '{name}': the images lie behind a link;"
        if behind:
            yield f"{place} {len(behind)} labels are those of its target, in {self._place(os.path.dirname(behind[0]))}"
        if any(map(_differ, ignored)):
            own, other = (self._place(os.path.dirname(each)) for each in ignored[0])
            count = f"{len(ignored)} labels"
            yield f"{place} {count} are read beside the link, in {own}, not those of its target, in {other}"

    def _without_image(self, splits: Sequence[str]) -> Iterator[str]:
        expected = {label_path(image) for images in self._definition.images.values() for image in images}
        expected |= {str(label) for labels in self.labels.values() for label in labels if label is not None}
        reported: set[str] = set()
        for name in splits:
            found = set(self._beside_images(name)) - reported
            lost = sorted(label for label in found - expected if _is_label(label))
            reported.update(lost)
            if lost:
                total = len(lost) + len(found & expected)
                yield f"split '{name}': {len(lost)} of {total} label files have no image {_names(lost)}"

    def _beside_images(self, name: str) -> Iterator[str]:
        """Yield the label files in the folders of a split; of lists, without those of images that they leave out."""
        for root in self._definition.roots[name]:
            for parent, folders, files in os.walk(os.path.dirname(label_path(root / "x.jpg"))):
                folders[:] = [each for each in folders if not each.startswith(".")]
                yield from (os.path.join(parent, each) for each in files if each.endswith(".txt"))
        if self._definition.roots[name]:
            return
        listed = {label_path(image) for image in self._definition.images[name]}
        for parent in {os.path.dirname(image) for image in self._definition.images[name]}:
            folder = os.path.dirname(label_path(os.path.join(parent, "x.jpg")))
            images = {each.rpartition(".")[0] for each in self._names_in(parent) if _is_image(each)}
            labels = (os.path.join(folder, each) for each in self._names_in(folder) if each.endswith(".txt"))
            yield from (each for each in labels if each in listed or os.path.basename(each)[:-4] not in images)

    def _place(self, path: str) -> str:
        """Return a path for a message: relative to the data set if it lies there."""
        relative = os.path.relpath(path, self._definition.root)
        return shown(path if relative.startswith(os.pardir) else relative)

    def _is_there(self, file: str) -> bool:
        return os.path.basename(file) in self._names_in(os.path.dirname(file))

    def _names_in(self, folder: str) -> frozenset[str]:
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(folder))
            except (FileNotFoundError, NotADirectoryError):
                self._listed[folder] = frozenset()
        return self._listed[folder]

    def _resolved(self, image: str) -> str:
        """Return the image's path without links in its folder; a link to a single file stays."""
        folder, name = os.path.split(image)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return os.path.join(self._real[folder], name)


def listed_names(names: Sequence[str]) -> str:
    """Return `(a, b, c and 12 more)`."""
    first = ", ".join(shown(name)[:60] for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"({first}{more})"


def _names(files: Sequence[str]) -> str:
    return listed_names([os.path.basename(file) for file in files])


def _beside(image: str) -> str:
    return image.rpartition(".")[0] + ".txt"


def _is_image(name: str) -> bool:
    return name.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def _differ(files: tuple[str, str]) -> bool:
    first, second = (Path(file).read_bytes() for file in files)
    return first != second


def _is_label(file: str) -> bool:
    """Return whether a text file without an image can be a label: empty, or with numbers in its first row."""
    if os.path.basename(file).lower() in _NOT_LABELS:
        return False
    try:
        with open(file, "rb") as opened:
            rows = opened.read(_HEAD_BYTES).split(b"\n", 1)
            columns = [float(each) for each in rows[0].split()[:5]]
    except (OSError, ValueError):
        return False
    return len(columns) in (0, 5)
