"""Detections of two networks on val, in a file beside the report: pictures with boxes, and confusion matrices."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from search.record.trial import TrialRecord
from search.study.sections import AccuracySection
from spaces.durable import write_text

PICTURES_FILE = "pictures.json"
"""Name of the file in a study's folder."""


@dataclass(frozen=True)
class PlacedBox:
    """A box: place and size as shares of the picture, its class, and the network's confidence; 1 for a label.

    Attributes:
        turned: Angle in degrees, clockwise, by which it is turned around its middle.
    """

    name: str
    left: float
    top: float
    width: float
    height: float
    confidence: float = 1.0
    turned: float = 0.0


@dataclass(frozen=True)
class ExamplePicture:
    """One picture.

    Attributes:
        jpeg: The picture in base64.
        width: Width in px; `height` likewise.
        labels: Boxes that it is labelled with.
        found: Boxes of each network, in the order of `ExamplePictures.names`.
    """

    jpeg: str
    width: int
    height: int
    labels: tuple[PlacedBox, ...]
    found: tuple[tuple[PlacedBox, ...], ...]


@dataclass(frozen=True)
class Confusion:
    """Confusion matrices of two networks on val.

    Attributes:
        classes: Names of the classes.
        counts: A matrix for each network, in the order of `ExamplePictures.names`: [found as][labelled]. Those of
            detectors have one more row, for what was not found, and one more column, for what is not labelled.
        images: Number of pictures.
        confidence: Minimum confidence of the boxes that were counted.
        iou: Minimum overlap of a box and its label.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[tuple[int, ...], ...], ...]
    images: int
    confidence: float
    iou: float

    @property
    def has_boxes(self) -> bool:
        """True if the networks find boxes, False if they tell the class of a picture."""
        return any(len(matrix) > len(self.classes) for matrix in self.counts)


@dataclass(frozen=True)
class ExamplePictures:
    """Pictures and confusion matrices of two networks on val, as a report shows them.

    Attributes:
        names: The two records: the parent, then the candidate.
        checkpoints: Content hashes of their weights, by which outdated files are recognized.
        pictures: The same ones for both; none for classifiers, which find no boxes.
        confusion: None in files of earlier versions.
    """

    names: tuple[str, ...]
    checkpoints: tuple[str, ...]
    pictures: tuple[ExamplePicture, ...]
    confusion: Confusion | None = None

    def are_of(self, records: Sequence[TrialRecord]) -> bool:
        """Return whether these records still have the weights that the boxes were found with."""
        stored = {record.name: record.checkpoint for record in records}
        return all(stored.get(name) == key for name, key in zip(self.names, self.checkpoints, strict=True))

    def are_complete(self, records: Sequence[TrialRecord], accuracy: AccuracySection) -> bool:
        """Return whether they show exactly these records, with confusion matrices as a study asks for them."""
        confusion = self.confusion
        return (
            self.names == tuple(record.name for record in records)
            and self.are_of(records)
            and confusion is not None
            and (confusion.confidence, confusion.iou) == (accuracy.confidence, accuracy.iou)
        )


def write_pictures(folder: Path, pictures: ExamplePictures) -> Path:
    """Write the pictures beside a study's report; return the path of the file."""
    return write_text(folder / PICTURES_FILE, json.dumps(asdict(pictures), separators=(",", ":")))


def read_pictures(folder: Path, records: Sequence[TrialRecord]) -> ExamplePictures | None:
    """Return the pictures beside a study's report; None if there are none, or they are of other weights."""
    try:
        plain = json.loads((folder / PICTURES_FILE).read_text(encoding="utf-8"))
        confusion = plain.get("confusion")
        read = ExamplePictures(
            tuple(plain["names"]),
            tuple(plain["checkpoints"]),
            tuple(map(_picture, plain["pictures"])),
            None if confusion is None else _confusion(confusion),
        )
        if read.confusion is not None and len(read.confusion.counts) != len(read.names):
            return None
        return read if read.are_of(records) else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):  # absent, or not ours
        return None


def _picture(plain: dict[str, object]) -> ExamplePicture:
    labels, found = plain.pop("labels"), plain.pop("found")
    if not isinstance(labels, list) or not isinstance(found, list):
        raise TypeError("no lists of boxes")
    boxes = tuple(PlacedBox(**box) for box in labels)
    return ExamplePicture(**plain, labels=boxes, found=tuple(tuple(PlacedBox(**b) for b in each) for each in found))  # type: ignore[arg-type]


def _confusion(plain: dict[str, object]) -> Confusion:
    classes, counts = plain.pop("classes"), plain.pop("counts")
    if not isinstance(classes, list) or not isinstance(counts, list):
        raise TypeError("no lists of classes and counts")
    for matrix in counts:
        sizes = [len(matrix), *(len(row) for row in matrix if isinstance(row, list))]
        if len(matrix) - len(classes) not in (0, 1) or sizes != [len(matrix)] * (len(matrix) + 1):
            raise ValueError("a matrix has another size")
        if any(not isinstance(count, int) or count < 0 for row in matrix for count in row):
            raise TypeError("no counts")
    matrices = tuple(tuple(map(tuple, matrix)) for matrix in counts)
    return Confusion(classes=tuple(map(str, classes)), counts=matrices, **plain)  # type: ignore[arg-type]
