"""Checks images by decoding them, and labels row by row; what cannot be used is counted, and the first are named.

A few images of many may be left out (`--skip-bad`): those that cannot be read, and those whose label is wrong.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from os import cpu_count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.data.label_rows import LabelRows, parse_labels
from objectives.data.pixels import MOST_IMAGE_BYTES, check_pixels
from objectives.data.split import Split
from objectives.data.yaml_text import DataError
from objectives.tasks.label_form import BOX_ROWS, LabelForm
from spaces.shown import shown
from spaces.steps import note_step

FILES_SHOWN = 5
"""Maximum number of wrong files that an error names."""
MOST_SKIPPED = 0.05
"""Largest share of the images that may be left out."""
_MOST_LABEL_BYTES = 16 * 1024**2  # 400,000 boxes; a file that is larger holds something else


@dataclass(frozen=True)
class Checked:
    """Content of one file: a hash of its bytes, and its problems (an empty list if there are none).

    Attributes:
        objects: Number of distinct label rows; 0 for images.
        repeated: Number of label rows that repeat an earlier one.
        classes: Class numbers that occur in a label file.
        look: Look of an image, by which near-duplicates are found: see `objectives.data.looks`.
        odd: Number of label rows of each kind in `objectives.data.label_rows.ODDITIES`.
    """

    digest: str
    problems: tuple[str, ...]
    objects: int = 0
    repeated: int = 0
    classes: tuple[int, ...] = ()
    look: str = ""
    odd: Mapping[str, int] = field(default_factory=dict)


def check_all(paths: Sequence[Path], check: Callable[[Path], Checked]) -> list[Checked]:
    """Check files in parallel threads (decoding releases the interpreter lock), in the order given."""
    results: list[Checked] = []
    remaining = iter(paths)
    with ThreadPoolExecutor(min(8, cpu_count() or 1)) as pool:
        while chunk := list(islice(remaining, 256)):
            for result in pool.map(check, chunk):
                results.append(result)
                note_step()
    return results


def without_bad(
    splits: Mapping[str, Split], checked: Mapping[Path, Checked], *, skip: bool
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return the splits without the images that cannot be used, and a line for each split that lost some.

    Args:
        checked: Results of the check, by image and label file.
        skip: True if a few may be left out; else each is an error.

    Raises:
        DataError: If there are such images and `skip` is False, or they are too many.
    """
    bad: dict[Path, tuple[str, ...]] = {}
    for split in splits.values():
        for image, label in zip(split.images, split.labels, strict=True):
            problems = checked[image].problems + (() if label is None else checked[label].problems)
            if problems:
                bad[image] = problems
    if not bad:
        return dict(splits), ()
    images = {image for split in splits.values() for image in split.images}
    if not skip or len(bad) > MOST_SKIPPED * len(images):
        raise DataError(_problems(list(bad.values()), len(images), skip=skip))
    kept = {name: _without(split, bad) for name, split in splits.items()}
    return kept, tuple(_skipped(name, split, bad) for name, split in splits.items() if bad.keys() & set(split.images))


def _problems(bad: Sequence[Sequence[str]], images: int, *, skip: bool) -> str:
    """Return the message for images that cannot be used: one line for one problem, else a count and the first files."""
    if len(bad) == 1 and len(bad[0]) == 1 and not skip:
        return bad[0][0]
    first = [problem for problems in bad[:FILES_SHOWN] for problem in problems]
    listed = "".join(f"\n  {problem}" for problem in first)
    more = f"; the first {FILES_SHOWN}" if len(bad) > FILES_SHOWN else ""
    share = f"{len(bad)} of {images} images ({len(bad) / images:.1%}) cannot be used"
    if len(bad) <= MOST_SKIPPED * images:
        return f"{share}; --skip-bad leaves them out{more}:{listed}"
    most = f" --skip-bad leaves out {MOST_SKIPPED:.0%} at most" if skip else ""
    return f"the data set has problems: {share}{';' * bool(most)}{most}{more}:{listed}"


def _without(split: Split, bad: Collection[Path]) -> Split:
    kept = [(image, label) for image, label in zip(split.images, split.labels, strict=True) if image not in bad]
    return Split(split.name, tuple(image for image, _ in kept), tuple(label for _, label in kept))


def _skipped(name: str, split: Split, bad: Mapping[Path, Sequence[str]]) -> str:
    lost = [image for image in dict.fromkeys(split.images) if image in bad]
    first = ", ".join(shown(image.name)[:60] for image in lost[:3])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"split '{name}': {len(lost)} of {len(split.images)} images cannot be used and are left out ({first}{more})"


def check_image(path: Path) -> Checked:
    """Decode the whole image as the training does, so that one that cannot be trained on is found."""
    content, problem = _read(path, MOST_IMAGE_BYTES)
    look = ""
    if problem is None:
        look, problem = check_pixels(path, content)
    return Checked(_digest(content), (f"{shown(path)}: {problem}",) if problem else (), look=look)


def check_labels(path: Path, classes: int, form: LabelForm = BOX_ROWS) -> Checked:
    """Check every row of a label file."""
    content, problem = _read(path, _MOST_LABEL_BYTES)
    if problem is not None:
        return Checked(_digest(content), (f"{shown(path)}: {problem}",))
    found = parse_labels(content, classes, form)
    named = tuple(f"{shown(path)}{problem}" for problem in found.problems)
    present = tuple(int(number) for number in np.unique(found.boxes[:, 0]))
    return Checked(_digest(content), named, len(found.boxes), found.repeated, present, odd=found.odd)


def read_labels(path: Path | None, classes: int) -> NDArray[np.float32]:
    """Return boxes of one image, `(N, 5)`; see `read_rows`."""
    return read_rows(path, classes, BOX_ROWS).boxes


def read_rows(path: Path | None, classes: int, form: LabelForm) -> LabelRows:
    """Return the labels of one image.

    Args:
        path: None for an image without a label file: no rows.

    Raises:
        DataError: If the file has changed since it was checked and is wrong now.
    """
    if path is None:
        return LabelRows(np.zeros((0, 5), dtype=np.float32))
    content, problem = _read(path, _MOST_LABEL_BYTES)
    if problem is not None:
        raise DataError(f"{shown(path)}: {problem}")
    found = parse_labels(content, classes, form)
    if found.problems:
        raise DataError(f"{shown(path)}{found.problems[0]}")
    return found


def _read(path: Path, most_bytes: int) -> tuple[bytes, str | None]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return b"", "not a file"  # opening a pipe would wait for ever
        if status.st_size > most_bytes:
            return b"", f"{status.st_size / 1024**2:.0f} MiB; at most {most_bytes / 1024**2:.0f} MiB are read"
        return path.read_bytes(), None
    except FileNotFoundError:
        return b"", "does not exist (a broken link?)"
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
