"""Unreadable images and wrong labels are named with file and line; the rest is read as Ultralytics reads it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from objectives.data.check import read_labels
from objectives.data.dataset import DataError, open_dataset
from objectives.data.label_rows import CLIPPED, NO_SIZE, POLYGON, SIXTH, parse_labels
from tests.objectives.pets import BOX, complaint, define, label, photo


def test_polygons_become_the_boxes_around_them(pets: Path, cache: Path) -> None:
    label(pets / "labels/train/a.txt", "1 0.1 0.2 0.5 0.2 0.3 0.6\n")
    open_dataset(pets, cache)
    np.testing.assert_allclose(read_labels(pets / "labels/train/a.txt", 2), [[1, 0.3, 0.4, 0.4, 0.4]], rtol=1e-6)


def test_labels_may_have_a_byte_order_mark_carriage_returns_and_repeated_rows() -> None:
    found = parse_labels(("\ufeff" + BOX + BOX + "\n" + "1.0 .5 .5 1 1").replace("\n", "\r\n").encode(), 2)
    assert found.problems == ()
    assert found.repeated == 1
    np.testing.assert_array_equal(found.boxes, np.array([[0, 0.5, 0.5, 0.25, 0.5], [1, 0.5, 0.5, 1, 1]], np.float32))


def written(path: Path) -> tuple[int, int, int]:
    """Values that change when a file is written. The access time is not one: reading may change it."""
    found = path.lstat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.jpg")


def animation(path: Path) -> None:
    Image.new("RGB", (20, 20)).save(path, format="GIF")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncated, "the image cannot be decoded"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff" + b"\0" * 100), "not an image that can be read"),
        (lambda path: path.write_text("<svg/>"), "not an image that can be read"),
        (animation, "format GIF is not one"),
        (lambda path: photo(path, size=(40, 9)), "the image is 40 x 9 px"),
        (pipe, "not a file"),
        (dangling, "does not exist"),
    ],
)
def test_an_unreadable_image_is_named(pets: Path, cache: Path, spoil: Callable[[Path], object], message: str) -> None:
    image = pets / "images/val/c.jpg"
    spoil(image)
    before = written(image)
    assert complaint(pets, cache).startswith(f"{image}: {message}")
    assert written(image) == before  # Ultralytics would rewrite a truncated JPEG


def test_a_truncated_png_is_named(pets: Path, cache: Path) -> None:
    truncated(photo(pets / "images/train/d.png"))
    assert "d.png: the image cannot be decoded" in complaint(pets, cache)


def wrong_checksum(path: Path) -> None:
    content = photo(path).read_bytes()
    path.write_bytes(content[:-6] + b"\0\0" + content[-4:])  # of the last chunk: Pillow decodes it, OpenCV does not


def floats(path: Path) -> None:
    Image.fromarray(np.ones((32, 40), np.float32)).save(path)


def enormous(path: Path) -> None:
    Image.new("1", (10_100, 10_000)).save(path)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("t.png", wrong_checksum, "the image cannot be decoded"),
        ("t.tif", floats, "OpenCV, which the training uses, cannot decode the image"),
        ("t.png", enormous, "the image is 10100 x 10000 px; at most 100 megapixels are read"),
    ],
)
def test_an_image_of_any_split_that_cannot_be_trained_on_is_named(
    pets: Path, cache: Path, capfd: pytest.CaptureFixture[str], name: str, spoil: Callable[[Path], None], message: str
) -> None:
    photo(pets / "images/test/s.png", seed=8)
    label(pets / "labels/test/s.txt")
    spoil(pets / "images/test" / name)
    assert f"images/test/{name}: {message}" in complaint(define(pets, test="images/test"), cache)
    assert capfd.readouterr().err == ""  # the decoders' own messages


def test_a_file_that_is_too_large_is_not_read(pets: Path, cache: Path) -> None:
    with (pets / "labels/train/b.txt").open("wb") as file:
        file.truncate(17 * 1024**2)
    assert "labels/train/b.txt: 17 MiB; at most 16 MiB are read" in complaint(pets, cache)


def test_long_values_are_cut(pets: Path, cache: Path) -> None:
    label(pets / "labels/train/b.txt", f"0.{'1' * 5000} 0 0 1 1\n0 7{'0' * 100}.5 0 1 1\n0 \x1b[31m 0 1 1\n")
    text = complaint(pets, cache)
    assert max(map(len, text.splitlines())) < 250
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 0.5 0.5 0.1", "4 columns; a detection label has 5"),
        ("0 .1 .1 .2 .2 .3 .3 .4", "8 columns"),
        ("cat 0.5 0.5 0.1 0.1", "'cat' is not a finite number"),
        ("0 0.5 nan 0.1 0.1", "'nan' is not a finite number"),
        ("0 0.5 1e999 0.1 0.1", "'1e999' is not a finite number"),
        ("0 0_1 0.5 0.1 0.1", "'0_1' is not a finite number"),
        ("0 0.5 0.5 1.5 0.1", "coordinate 1.5 is out of range"),
        ("0 -0.5 0.5 0.1 0.1", "coordinate -0.5 is out of range"),
        ("0 120 80 30 30", "coordinate 120 is out of range"),
        ("0 0.5 0.5 0.1 -0.005", "a box of size 0.1 x -0.005"),
        ("2 0.5 0.5 0.1 0.1", "class 2 is out of range; the data set has classes 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "class -1 is out of range"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5 is out of range"),
        ("1e300 0.5 0.5 0.1 0.1", "class 1e300 is out of range"),
    ],
)
def test_a_wrong_row_is_named_with_file_and_line(pets: Path, cache: Path, row: str, message: str) -> None:
    file = label(pets / "labels/train/b.txt", f"{BOX}\n{row}\n")
    assert complaint(pets, cache).startswith(f"{file}:3: {message}")


def test_a_label_that_is_no_text_or_no_file_is_named(pets: Path, cache: Path) -> None:
    file = pets / "labels/train/b.txt"
    file.write_bytes(b"\x00\xff\xfe\x80")
    assert f"{file}: not a text file" in complaint(pets, cache)
    file.unlink()
    file.mkdir()
    assert f"{file}: not a file" in complaint(pets, cache)


def add(pets: Path, images: int, *, wrong: int) -> None:
    """Add images to train; the label files of the first ones are wrong."""
    for number in range(images):
        photo(pets / f"images/train/x{number:02}.jpg", seed=100 + number)
        label(pets / f"labels/train/x{number:02}.txt", "9 0.5 0.5 0.1 0.1\n" if number < wrong else BOX)


def test_wrong_files_are_counted_and_the_first_five_listed(pets: Path, cache: Path) -> None:
    add(pets, 8, wrong=7)
    lines = complaint(pets, cache).splitlines()
    assert len(lines) == 6
    assert lines[0] == "the data set has problems: 7 of 11 images (63.6%) cannot be used; the first 5:"
    assert lines[1].startswith(f"  {pets}/labels/train/x00.txt:1: class 9")


def test_a_few_wrong_files_may_be_left_out(pets: Path, cache: Path) -> None:
    add(pets, 40, wrong=1)
    (pets / "images/train/x39.jpg").write_bytes(b"")
    assert "2 of 43 images (4.7%) cannot be used; --skip-bad leaves them out:" in complaint(pets, cache)
    for _ in range(2):  # a wrong file is not remembered as right
        data = open_dataset(pets, cache, skip_bad=True)
        assert len(data.splits["train"].images) == 40
        assert "split 'train': 2 of 42 images cannot be used and are left out (x00.jpg, x39.jpg)" in data.warnings
    assert open_dataset(data.yaml, cache).key == data.key  # our own definition lists what is left
    (pets / "images/train/x38.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"3 of 43 images \(7.0%\) cannot be used; --skip-bad leaves out 5% at most:"):
        open_dataset(pets, cache, skip_bad=True)


numbers = st.one_of(
    st.sampled_from(["0", "1", "2", "0.5", "1.005", "1.02", "-0.005", "-0.2", "nan", "inf", "x", "1e-9", "0.0", "٣"]),
    st.floats(0, 1, allow_subnormal=False).map(str),
)
rows = st.lists(numbers, min_size=0, max_size=9).map(" ".join)
tame = st.tuples(st.integers(0, 1), *[st.floats(0.01, 1)] * 4).map(lambda row: " ".join(map(str, row)))
files = st.lists(st.one_of(tame, tame, rows), max_size=5).map("\n".join)


@pytest.fixture(scope="module")
def one_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo(tmp_path_factory.mktemp("one") / "images/x.png")


@settings(max_examples=200, deadline=None)
@given(text=files)
def test_accepted_labels_are_read_in_the_same_way_by_ultralytics(one_image: Path, text: str) -> None:
    import spaces.offline  # noqa: F401  (before ultralytics)

    from ultralytics.data.utils import verify_image_label

    file = label(one_image.with_suffix(".txt"), text)
    found = parse_labels(file.read_bytes(), 2)
    name, theirs, *_ = verify_image_label((str(one_image), str(file), "", False, 2, 0, 0, False))
    mixed = found.odd.get(POLYGON, 0) not in (0, sum(1 for line in text.splitlines() if line.split()))
    if found.problems or mixed or SIXTH in found.odd:
        return
    assert name is not None, f"Ultralytics refuses what we accept: {text!r}"
    assert len(theirs) == len(found.boxes) + found.odd.get(NO_SIZE, 0)
    if not {NO_SIZE, CLIPPED} & set(found.odd):
        ours = found.boxes[np.lexsort(found.boxes.T)]
        # float32 coordinates of a polygon's box are differences of numbers up to 1: an error of a few 1e-7
        np.testing.assert_allclose(ours, theirs[np.lexsort(theirs.T)], atol=1.5e-6)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_no_bytes_crash_the_label_parser(content: bytes) -> None:
    found = parse_labels(content, 3)
    assert found.boxes.shape[1] == 5
    assert np.isfinite(found.boxes).all()
    assert all(problem.startswith(":") for problem in found.problems)
