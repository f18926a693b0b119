"""The built-in digits: the same bytes everywhere, clean labels, glyphs that no two splits share."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from objectives.data.check import read_labels
from objectives.data.dataset import Dataset
from objectives.data.digit_scenes import glyphs_of, write_digits
from objectives.tasks.digit_sets import SCENE_PX, SCENES
from spaces.durable import PARTIAL

FEW = {"train": 6, "val": 3, "test": 3}


def content_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def test_a_seed_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    folder = write_digits(tmp_path, 0, FEW).parent
    assert content_hash(folder) == "2a3f2467155e87cd802f07e4a68620c78fc9975bbe8e8f78725acb3c906d3e42"


def test_another_seed_gives_other_scenes(tmp_path: Path) -> None:
    first, second = (write_digits(tmp_path, seed, FEW).parent for seed in (0, 1))
    assert first != second
    assert content_hash(first) != content_hash(second)


def test_no_glyph_is_in_two_splits() -> None:
    seen: dict[bytes, str] = {}
    for split in ("train", "val", "test"):
        inks, labels = glyphs_of(split)
        assert set(labels.tolist()) == set(range(10))
        for ink in inks:
            assert seen.setdefault(ink.tobytes(), split) == split
    assert len(seen) == 1797  # no glyph is lost, and none is there twice


def test_boxes_are_tight_and_do_not_overlap(digits: Dataset) -> None:
    split = digits.splits["train"]
    for image, label in zip(split.images, split.labels, strict=True):
        pixels = np.asarray(cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)).astype(int)
        assert pixels.shape == (SCENE_PX, SCENE_PX)
        covered = np.zeros(pixels.shape, dtype=int)
        background = int(np.median(pixels))
        for _, x, y, w, h in read_labels(label, 10) * SCENE_PX:
            rows, columns = slice(round(y - h / 2), round(y + h / 2)), slice(round(x - w / 2), round(x + w / 2))
            covered[rows, columns] += 1
            # the noise is at most 15 levels either way; the ink begins within a few px of each side of its box
            ink = np.argwhere(pixels[rows, columns] > background + 30)
            assert (ink.min(0) <= 6).all()
            assert (ink.max(0) >= np.array([h, w]) - 7).all()
        assert covered.max() == 1
        assert pixels[covered == 0].max() <= background + 31  # nothing is drawn outside of a box


def test_every_class_is_in_every_split_about_equally_often(digits: Dataset) -> None:
    for split in digits.splits.values():
        classes = np.concatenate([read_labels(label, 10)[:, 0] for label in split.labels]).astype(int)
        counts = np.bincount(classes, minlength=10)
        assert counts.min() > 0


def test_the_default_sizes_are_written_once(tmp_path: Path) -> None:
    file = write_digits(tmp_path)
    counts = {split: len(list((file.parent / "images" / split).iterdir())) for split in SCENES}
    assert counts == {"train": 512, "val": 128, "test": 128}
    times = {path: path.stat().st_mtime_ns for path in file.parent.rglob("*")}
    assert write_digits(tmp_path) == file
    assert {path: path.stat().st_mtime_ns for path in file.parent.rglob("*")} == times


def test_a_kill_midway_leaves_no_partial_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        write_digits(tmp_path, 0, FEW)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed_after_an_hour(tmp_path: Path) -> None:
    old, new = tmp_path / f".digits-old{PARTIAL}", tmp_path / f".digits-new{PARTIAL}"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    write_digits(tmp_path, 0, FEW)
    assert not old.exists()
    assert new.exists()  # somebody may be writing it


def test_workers_that_start_together_get_one_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        files = set(pool.map(lambda _: write_digits(tmp_path, 0, FEW), range(4)))
    assert len(files) == 1
    assert [path.name for path in tmp_path.iterdir()] == [files.pop().parent.name]


def test_a_folder_that_lost_files_is_written_again(tmp_path: Path) -> None:
    folder = write_digits(tmp_path, 0, FEW).parent
    before = content_hash(folder)
    (folder / "labels/val/00001.txt").unlink()
    assert content_hash(write_digits(tmp_path, 0, FEW).parent) == before


def test_the_yaml_of_the_digits_is_an_ultralytics_data_set(tmp_path: Path) -> None:
    file = write_digits(tmp_path, 0, FEW)
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert content["names"] == {number: str(number) for number in range(10)}
    assert (file.parent / content["val"]).is_dir()
