"""Checks images by decoding them and labels row by row, and parses labels the way Ultralytics does.

Rows that Ultralytics would drop silently are reported. All that it accepts is accepted: coordinates up to 1 % out
of [0, 1] (rounding), polygons in place of boxes, repeated rows (removed), images without a label file (background).
"""

from __future__ import annotations

import hashlib
import math
import stat
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.data.pixels import MOST_IMAGE_BYTES, check_pixels
from objectives.data.yaml_file import DataError
from spaces.shown import shown
from spaces.steps import note_step

PROBLEMS_SHOWN = 10
_MOST_LABEL_BYTES = 16 * 1024**2  # 400,000 boxes; a file that is larger holds something else
_TOLERANCE = 0.01  # Ultralytics takes coordinates in [-0.01, 1.01]


@dataclass(frozen=True)
class Checked:
    """Content of one file: a hash of its bytes, and its problems (an empty list if there are none).

    Attributes:
        objects: Number of distinct label rows; 0 for images.
        repeated: Number of label rows that repeat an earlier one.
        classes: Class numbers that occur in a label file.
        look: Look of an image, by which near-duplicates are found: see `objectives.data.looks`.
    """

    digest: str
    problems: tuple[str, ...]
    objects: int = 0
    repeated: int = 0
    classes: tuple[int, ...] = ()
    look: str = ""


def check_all(paths: Sequence[Path], check: Callable[[Path], Checked]) -> list[Checked]:
    """Check files in parallel threads (decoding releases the interpreter lock), in the order given.

    Raises:
        DataError: If files have problems; the first ones are named. Once there are enough, no more files are checked.
    """
    results: list[Checked] = []
    problems: list[str] = []
    remaining = iter(paths)
    with ThreadPoolExecutor(min(8, cpu_count() or 1)) as pool:
        while len(problems) < PROBLEMS_SHOWN and (chunk := list(islice(remaining, 256))):
            for result in pool.map(check, chunk):
                results.append(result)
                note_step()
                problems.extend(result.problems)
    raise_problems(problems)
    return results


def raise_problems(problems: Sequence[str]) -> None:
    """Raise one error that names the first problems, if there are any."""
    if len(problems) == 1:
        raise DataError(problems[0])
    if problems:
        more = "; more may follow" if len(problems) >= PROBLEMS_SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in problems[:PROBLEMS_SHOWN])
        raise DataError(f"the data set has problems{more}:{listed}")


def check_image(path: Path) -> Checked:
    """Decode the whole image as the training does, so that one that cannot be trained on is found."""
    content, problem = _read(path, MOST_IMAGE_BYTES)
    look = ""
    if problem is None:
        look, problem = check_pixels(path, content)
    return Checked(_digest(content), (f"{shown(path)}: {problem}",) if problem else (), look=look)


def check_labels(path: Path, classes: int) -> Checked:
    """Check every row of a label file."""
    content, problem = _read(path, _MOST_LABEL_BYTES)
    if problem is not None:
        return Checked(_digest(content), (f"{shown(path)}: {problem}",))
    boxes, repeated, problems = parse_labels(content, classes)
    named = tuple(f"{shown(path)}{problem}" for problem in problems)
    present = tuple(int(number) for number in np.unique(boxes[:, 0]))
    return Checked(_digest(content), named, len(boxes), repeated, present)


def read_labels(path: Path | None, classes: int) -> NDArray[np.float32]:
    """Return boxes of one image, `(N, 5)`: class, and centre x, y, width, height as shares of the image.

    Args:
        path: None for an image without a label file: `(0, 5)`.

    Raises:
        DataError: If the file has changed since it was checked and is wrong now.
    """
    if path is None:
        return np.zeros((0, 5), dtype=np.float32)
    content, problem = _read(path, _MOST_LABEL_BYTES)
    if problem is not None:
        raise DataError(f"{shown(path)}: {problem}")
    boxes, _, problems = parse_labels(content, classes)
    raise_problems([f"{shown(path)}{problem}" for problem in problems])
    return boxes


def parse_labels(content: bytes, classes: int) -> tuple[NDArray[np.float32], int, list[str]]:
    """Parse a label file's bytes.

    Returns:
        Boxes `(N, 5)` without repeated rows, the number of those, and problems as `:line: what is wrong`.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return np.zeros((0, 5), np.float32), 0, [f": not a text file (byte {error.start} is not UTF-8)"]
    rows: list[tuple[float, ...]] = []
    problems: list[str] = []
    polygons: bool | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split()
        if not columns:
            continue
        row, problem = _row(columns, classes)
        if problem is None and polygons is not None and polygons != (len(columns) > 5):
            problem = "polygons and boxes are mixed in one file"
        if problem is not None:
            problems.append(f":{number}: {problem}")
            if len(problems) == PROBLEMS_SHOWN:
                break
            continue
        polygons = len(columns) > 5
        rows.append(row)
    boxes = _boxes(rows)
    return boxes, len(rows) - len(boxes), problems


def _row(columns: Sequence[str], classes: int) -> tuple[tuple[float, ...], str | None]:
    """Return the numbers of one row, and its problem if there is one."""
    polygon = len(columns) >= 7 and len(columns) % 2 == 1
    if len(columns) != 5 and not polygon:
        expected = "5 (class x y width height), or a class and at least 3 points"
        return (), f"{len(columns)} columns; a detection label has {expected}"
    try:
        row = tuple(_number(column) for column in columns)
    except ValueError:
        wrong = next(column for column in columns if not _is_number(column))
        return (), f"'{shown(wrong)[:40]}' is not a finite number"
    if row[0] != int(row[0]) or not 0 <= row[0] < classes:
        return (), f"class {shown(columns[0])[:40]} is out of range; the data set has classes 0 to {classes - 1}"
    outside = [text for text, value in zip(columns[1:], row[1:], strict=True) if not _in_range(value)]
    if outside:
        return (
            (),
            f"coordinate {shown(outside[0])[:40]} is out of range; coordinates are shares of the image, in [0, 1]",
        )
    width, height = row[3:] if not polygon else (_spread(row[1::2]), _spread(row[2::2]))
    if width <= 0 or height <= 0:
        return (), f"a box of size {width:g} x {height:g}; width and height must be above 0"
    return row, None


def _number(text: str) -> float:
    value = float(text)
    if "_" in text or not math.isfinite(value):
        raise ValueError(text)
    return value


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _in_range(value: float) -> bool:
    return -_TOLERANCE <= value <= 1 + _TOLERANCE


def _spread(values: Iterable[float]) -> float:
    values = tuple(values)
    return max(values) - min(values)


def _boxes(rows: Sequence[tuple[float, ...]]) -> NDArray[np.float32]:
    distinct = list(dict.fromkeys(rows))
    boxes = np.array([row if len(row) == 5 else _around(row) for row in distinct], dtype=np.float32)
    return boxes.reshape(-1, 5)


def _around(polygon: tuple[float, ...]) -> tuple[float, ...]:
    """Return the box around a polygon: class, centre x, y, width, height."""
    xs, ys = polygon[1::2], polygon[2::2]
    centre = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    return (polygon[0], *centre, max(xs) - min(xs), max(ys) - min(ys))


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
