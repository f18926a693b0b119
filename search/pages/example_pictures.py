"""Pictures of val with the boxes of the parent and of one candidate, as a file beside the report, which shows them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from search.record.trial import TrialRecord
from spaces.durable import write_text

PICTURES_FILE = "pictures.json"
"""Name of the file in a study's folder."""


@dataclass(frozen=True)
class PlacedBox:
    """A box: place and size as shares of the picture, its class, and the network's confidence; 1 for a label."""

    name: str
    left: float
    top: float
    width: float
    height: float
    confidence: float = 1.0


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
class ExamplePictures:
    """The pictures of one study.

    Attributes:
        names: Records whose boxes are shown: the parent, then the candidate.
        checkpoints: Content hashes of their weights, by which outdated pictures are recognized.
    """

    names: tuple[str, ...]
    checkpoints: tuple[str, ...]
    pictures: tuple[ExamplePicture, ...]

    def are_of(self, records: Iterable[TrialRecord]) -> bool:
        """Return whether these records still have the weights that the boxes were found with."""
        stored = {record.name: record.checkpoint for record in records}
        return all(stored.get(name) == key for name, key in zip(self.names, self.checkpoints, strict=True))


def write_pictures(folder: Path, pictures: ExamplePictures) -> Path:
    """Write the pictures beside a study's report; return the path of the file."""
    return write_text(folder / PICTURES_FILE, json.dumps(asdict(pictures), separators=(",", ":")))


def read_pictures(folder: Path, records: Sequence[TrialRecord]) -> ExamplePictures | None:
    """Return the pictures beside a study's report; None if there are none, or they are of other weights."""
    try:
        plain = json.loads((folder / PICTURES_FILE).read_text(encoding="utf-8"))
        read = ExamplePictures(
            tuple(plain["names"]), tuple(plain["checkpoints"]), tuple(map(_picture, plain["pictures"]))
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):  # absent, or not ours
        return None
    return read if read.are_of(records) else None


def _picture(plain: dict[str, object]) -> ExamplePicture:
    labels, found = plain.pop("labels"), plain.pop("found")
    if not isinstance(labels, list) or not isinstance(found, list):
        raise TypeError("no lists of boxes")
    boxes = tuple(PlacedBox(**box) for box in labels)
    return ExamplePicture(**plain, labels=boxes, found=tuple(tuple(PlacedBox(**b) for b in each) for each in found))  # type: ignore[arg-type]
