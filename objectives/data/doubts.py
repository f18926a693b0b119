"""Likely mistakes in a data set that passed its check: one line each, with counts and the first names.

Each of them may be intended, so none ends a run; with `--strict` each does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from objectives.data.check import Checked
from objectives.data.label_files import listed_names
from objectives.data.label_rows import ODDITIES
from objectives.data.looks import near_duplicates
from objectives.data.split import Split

MOST_EMPTY = 0.5
"""Share of a split's images whose label file may be empty without a warning."""
_UNSEEN = "its accuracy does not show how well unseen images are detected"


def doubts_of(splits: Mapping[str, Split], classes: Sequence[str], checked: Mapping[Path, Checked]) -> Iterator[str]:
    """Yield a line for each likely mistake in the content of images and labels.

    Args:
        checked: Results of the check, by image and label file.
    """
    train = {checked[image].digest for image in splits["train"].images}
    for name, split in splits.items():
        yield from _repeated(name, split, checked)
        yield from _odd_rows(name, split, checked)
        yield from _empty(name, split, checked)
        if name in ("train", "val"):
            yield from _absent_classes(name, split, classes, checked)
        if name != "train":
            yield from _shared(name, split, splits["train"], train, checked)


def near_duplicates_of_train(name: str, splits: Mapping[str, Split], checked: Mapping[Path, Checked]) -> Iterator[str]:
    """Yield a line if images of a split are near-duplicates of images of train; equal files do not count here."""
    train, split = splits["train"].images, splits[name].images
    equal = {checked[image].digest for image in train}
    others = [image for image in dict.fromkeys(split) if checked[image].digest not in equal]
    found = near_duplicates([checked[image].look for image in train], [checked[image].look for image in others])
    if found:
        pairs = [f"{others[number].name} is like {train[of].name}" for number, of in found.items()]
        number = f"{len(found)} of {len(split)} images are near-duplicates of images of 'train'"
        yield f"split '{name}': {number} {listed_names(pairs)}: {_UNSEEN}"


def _repeated(name: str, split: Split, checked: Mapping[Path, Checked]) -> Iterator[str]:
    repeated = sum(count - 1 for count in Counter(split.images).values())
    if repeated:
        yield f"split '{name}' names {_count(repeated, 'image')} more than once"
    rows = sum(checked[label].repeated for label in split.labels if label is not None)
    if rows:
        yield f"split '{name}' has {_count(rows, 'repeated label row')}; each is counted once, as in Ultralytics"


def _odd_rows(name: str, split: Split, checked: Mapping[Path, Checked]) -> Iterator[str]:
    labels = [label for label in split.labels if label is not None]
    for kind, words in ODDITIES.items():
        found = [(label.name, checked[label].odd[kind]) for label in labels if kind in checked[label].odd]
        if found:
            files = listed_names([file for file, _ in found])
            yield f"split '{name}' has {sum(count for _, count in found)} {words} {files}"


def _empty(name: str, split: Split, checked: Mapping[Path, Checked]) -> Iterator[str]:
    empty = [label.name for label in split.labels if label is not None and not checked[label].objects]
    if len(empty) > MOST_EMPTY * len(split.images):
        which = listed_names(empty)
        yield f"split '{name}': {len(empty)} of {len(split.images)} images have an empty label file {which}"


def _absent_classes(name: str, split: Split, classes: Sequence[str], checked: Mapping[Path, Checked]) -> Iterator[str]:
    present = {number for label in split.labels if label is not None for number in checked[label].classes}
    absent = [each for number, each in enumerate(classes) if number not in present]
    if absent:
        yield f"split '{name}': {len(absent)} of {len(classes)} classes occur nowhere {listed_names(absent)}"


def _shared(name: str, split: Split, train: Split, digests: set[str], checked: Mapping[Path, Checked]) -> Iterator[str]:
    shared = sum(checked[image].digest in digests for image in split.images)
    if shared:
        same = set(split.images) == set(train.images)
        what = "equals 'train'" if same else f"shares {_count(shared, 'image')} with 'train'"
        yield f"split '{name}' {what}: {_UNSEEN}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
