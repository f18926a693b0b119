"""Warnings about a data set, each one line with counts: lost files, absent classes, near-duplicates, links."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from objectives.data.check import read_labels
from objectives.data.dataset import DataError, Dataset, open_dataset
from objectives.data.looks import look_of, near_duplicates
from tests.objectives.pets import BOX, define, label, photo

MANY = 6


@pytest.fixture
def herd(pets: Path) -> Path:
    """The pets with more images in train."""
    for number in range(2, MANY):
        photo(pets / f"images/train/x{number}.jpg", seed=40 + number)
        label(pets / f"labels/train/x{number}.txt")
    return pets


def images_gone(data: Path) -> None:
    for file in sorted((data / "images/train").iterdir())[1:4]:
        file.unlink()


def labels_gone(data: Path) -> None:
    for file in sorted((data / "labels/train").iterdir())[1:]:
        file.unlink()


def labels_emptied(data: Path) -> None:
    for file in sorted((data / "labels/train").iterdir())[1:]:
        file.write_text("")


def class_gone(split: str) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        for file in (data / f"labels/{split}").iterdir():
            file.write_text(BOX)

    return change


def saved_again(data: Path) -> None:
    with Image.open(data / "images/train/a.jpg") as image:
        image.resize((60, 48)).save(data / "images/val/again.jpg", quality=60)
    label(data / "labels/val/again.txt")


def labels_beside(data: Path) -> None:
    for file in sorted((data / "labels/train").iterdir())[1:3]:
        file.rename(data / "images/train" / file.name)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (images_gone, ["split 'train': 3 of 6 label files have no image (b.txt, x2.txt, x3.txt)"]),
        (
            labels_gone,
            [
                "split 'train': 5 of 6 images have no label file, they count as background "
                "(b.jpg, x2.jpg, x3.jpg and 2 more)"
            ],
        ),
        (
            labels_emptied,
            ["split 'train': 5 of 6 images have an empty label file (b.txt, x2.txt, x3.txt and 2 more)"],
        ),
        (class_gone("val"), ["split 'val': 1 of 2 classes occur nowhere (dog)"]),
        (class_gone("train"), ["split 'train': 1 of 2 classes occur nowhere (dog)"]),
        (
            saved_again,
            [
                "split 'val': 1 of 2 images are near-duplicates of images of 'train' (again.jpg is like a.jpg): "
                "its accuracy does not show how well unseen images are detected"
            ],
        ),
        (
            labels_beside,
            [
                "split 'train': 2 of 6 images have no label file, they count as background (b.jpg, x2.jpg)",
                "split 'train': 2 of these images have a .txt beside them, which is not read; "
                "the first is looked for at labels/train/b.txt",
            ],
        ),
    ],
)
def test_what_is_odd_is_told_with_counts_and_remembered(
    herd: Path, cache: Path, change: Callable[[Path], None], lines: list[str]
) -> None:
    assert open_dataset(herd, cache).warnings == ()
    change(herd)
    expected = tuple(lines)
    assert open_dataset(herd, cache).warnings == expected
    assert open_dataset(herd, cache).warnings == expected
    with pytest.raises(DataError, match="--strict allows no doubt:\n  split") as raised:
        open_dataset(herd, cache).require_no_doubt()
    assert lines[0] in str(raised.value)


def test_a_data_set_without_doubt_passes(digits: Dataset, pets: Path, cache: Path) -> None:
    digits.require_no_doubt()
    (pets / "labels/train/classes.txt").write_text("cat\ndog\n")
    open_dataset(pets, cache).require_no_doubt()


def test_files_that_a_list_leaves_out_are_no_doubt(herd: Path, cache: Path) -> None:
    (herd / "some.txt").write_text("./images/train/a.jpg\n./images/train/b.jpg\n")
    file = define(herd, train="some.txt")
    assert open_dataset(file, cache).warnings == ()
    (herd / "images/train/x2.jpg").unlink()
    assert open_dataset(file, cache).warnings == ("split 'train': 1 of 3 label files have no image (x2.txt)",)


def test_near_duplicates_are_looked_for_once(herd: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved_again(herd)
    expected = open_dataset(herd, cache).warnings
    monkeypatch.setattr("objectives.data.doubts.near_duplicates", None)
    assert open_dataset(herd, cache).warnings == expected


def _noise(seed: int) -> Image.Image:
    """Soft blots: like a photograph, and unlike every other one."""
    pixels = np.random.default_rng(seed).integers(40, 216, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC)


def _look(image: Image.Image) -> str:
    return look_of(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))


def test_an_image_saved_again_resized_or_brightened_looks_the_same() -> None:
    train = [_look(_noise(seed)) for seed in range(200)]
    changed = [
        _noise(7).resize((160, 120)),
        _noise(8).resize((500, 375)),
        ImageEnhance.Brightness(_noise(9)).enhance(1.15),
        ImageEnhance.Contrast(_noise(10)).enhance(0.8),
        _noise(11).crop((2, 2, 318, 238)),
    ]
    others = [_look(image) for image in (*changed, *(_noise(1000 + seed) for seed in range(50)))]
    assert near_duplicates(train, others) == {0: 7, 1: 8, 2: 9, 3: 10, 4: 11}


def test_blank_images_are_like_no_other() -> None:
    blank = [_look(Image.new("RGB", (64, 64), colour)) for colour in ("white", "black")]
    assert blank == ["", ""]
    assert near_duplicates(blank, blank) == {}
    assert near_duplicates([], ["0" * 64]) == {}


def test_a_large_data_set_is_compared_in_an_even_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("objectives.data.looks.MOST_COMPARED", 100)
    looks = [_look(_noise(seed)) for seed in range(20)]
    assert near_duplicates(looks, looks) == {number: number for number in range(0, 20, 4)}


def test_equal_images_are_told_as_equal_and_not_as_near_duplicates(herd: Path, cache: Path) -> None:
    data = open_dataset(define(herd, val="images/train"), cache)
    assert data.warnings == (
        "split 'val' equals 'train': its accuracy does not show how well unseen images are detected",
    )


@pytest.mark.parametrize("own", [True, False])
def test_labels_beside_a_linked_folder_come_before_those_of_its_target(
    pets: Path, cache: Path, tmp_path: Path, own: bool
) -> None:
    view = tmp_path / "view"
    view.mkdir()
    (view / "images").symlink_to(pets / "images")
    shutil.copy(pets / "data.yaml", view)
    if own:
        shutil.copytree(pets / "labels", view / "labels")
        label(view / "labels/train/a.txt", "1 0.5 0.5 0.9 0.9\n")
    data = open_dataset(view, cache)
    (first, _) = data.splits["train"].labels
    assert first == (view if own else pets) / "labels/train/a.txt"
    assert read_labels(first, 2)[0, 0] == (1 if own else 0)
    where = f"labels/train, not those of its target, in {pets}" if own else f"its target, in {pets}/labels/train"
    assert where in data.warnings[0]


def test_a_linked_data_set_whose_labels_are_equal_is_no_doubt(pets: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "view").symlink_to(pets)
    assert open_dataset(tmp_path / "view", cache).warnings == ()
    both = tmp_path / "both"
    shutil.copytree(pets / "labels", both / "labels")
    (both / "images").symlink_to(pets / "images")
    shutil.copy(pets / "data.yaml", both)
    assert open_dataset(both, cache).warnings == ()
