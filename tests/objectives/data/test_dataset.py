"""Accepted forms of a data set, its key, and that it is left as it was."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from objectives.data import check_memory as data_memory
from objectives.data.check import read_labels
from objectives.data.dataset import Dataset, open_dataset
from tests.objectives.pets import BOX, complaint, define, label, photo


def test_the_digits_are_built_in(digits: Dataset) -> None:
    assert digits.name == "digits"
    assert digits.classes == tuple("0123456789")
    assert {name: len(split.images) for name, split in digits.splits.items()} == {"train": 48, "val": 24, "test": 24}
    assert digits.defaults["imgsz"] == 96
    assert digits.defaults["mosaic"] == digits.defaults["fliplr"] == digits.defaults["flipud"] == 0
    assert digits.warnings == ()


def test_a_yaml_and_its_folder_name_the_same_data(pets: Path, cache: Path) -> None:
    first, second = open_dataset(pets / "data.yaml", cache), open_dataset(str(pets), cache)
    assert first == second
    assert first.name == "pets"
    assert first.classes == ("cat", "dog")
    assert first.defaults == {}
    assert [path.name for path in first.splits["train"].images] == ["a.jpg", "b.jpg"]


def test_an_image_without_a_label_file_is_background(pets: Path, cache: Path) -> None:
    (pets / "labels/train/b.txt").unlink()
    label(pets / "labels/train/a.txt", BOX + "\n")
    split = open_dataset(pets, cache).splits["train"]
    assert split.labels == (pets / "labels/train/a.txt", None)
    assert read_labels(None, 2).shape == (0, 5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"names": {0: "cat", 1: "dog"}}, ("cat", "dog")),
        ({"names": {"1": "dog", "0": "cat"}, "nc": 2}, ("cat", "dog")),
        ({"names": None, "nc": "2"}, ("class_0", "class_1")),
        ({"names": [True, 7]}, ("True", "7")),
    ],
)
def test_classes_are_a_list_or_a_mapping_or_a_number(
    pets: Path, cache: Path, changes: Mapping[str, object], expected: tuple[str, ...]
) -> None:
    assert open_dataset(define(pets, **changes), cache).classes == expected


def test_every_further_split_is_found(pets: Path, cache: Path) -> None:
    for name in ("test", "test_night", "rain", "masks"):
        photo(pets / f"images/{name}/x.jpg", seed=hash(name) % 1000)
        if name != "masks":
            label(pets / f"labels/{name}/x.txt")
    changes = {name: f"images/{name}" for name in ("rain", "test_night", "masks")}
    file = define(pets, test=["images/test"], **changes, licence="CC BY", out=".", roboflow={"project": "x"})
    assert list(open_dataset(file, cache).splits) == ["train", "val", "test", "rain", "test_night"]


def test_an_unlabelled_test_split_is_left_out_with_a_warning(pets: Path, cache: Path) -> None:
    photo(pets / "images/test/x.jpg", seed=9)
    data = open_dataset(define(pets, test="images/test"), cache)
    assert list(data.splits) == ["train", "val"]
    assert data.warnings == ("split 'test' has no labels: it gets no columns",)


def test_lists_of_images_are_read_as_ultralytics_reads_them(pets: Path, cache: Path) -> None:
    (pets / "train.txt").write_text("\ufeff./images/train/b.jpg\r\n\r\nimages/train/a.jpg\r\n", encoding="utf-8")
    data = open_dataset(define(pets, train="train.txt"), cache)
    assert [path.name for path in data.splits["train"].images] == ["a.jpg", "b.jpg"]
    ours = yaml.safe_load(data.yaml.read_text(encoding="utf-8"))
    listed = Path(ours["train"]).read_text(encoding="utf-8").split()
    assert listed == [str(pets / "images/train/a.jpg"), str(pets / "images/train/b.jpg")]


def test_the_working_directory_comes_before_the_folder_of_the_yaml(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pets.parent)
    open_dataset(define(pets, path="pets"), cache)  # seen from the working directory
    assert "'path' is" in complaint(define(pets, path="."), cache)
    monkeypatch.chdir(pets)
    open_dataset(define(pets, path="."), cache)
    shutil.move(pets / "images", pets / "inner/images")
    shutil.move(pets / "labels", pets / "inner/labels")
    monkeypatch.chdir(pets.parent)
    open_dataset(define(pets, path="inner"), cache)  # beside the YAML
    shutil.move(pets / "inner", pets.parent / "datasets/deep")
    open_dataset(define(pets, path="deep"), cache)


def test_roboflow_paths_that_are_one_level_off_are_corrected(pets: Path, cache: Path) -> None:
    data = open_dataset(define(pets, train="../images/train", val="../images/val"), cache)
    assert len(data.splits["train"].images) == 2


def test_labels_of_linked_folders_are_found(pets: Path, cache: Path, tmp_path: Path) -> None:
    shutil.move(pets, tmp_path / "store")
    pets.symlink_to(tmp_path / "store")
    (tmp_path / "store/images/train/loop").symlink_to(tmp_path / "store/images")
    data = open_dataset(pets, cache)
    assert len([path for path in data.splits["val"].labels if path]) == 1


def test_odd_file_names_are_no_problem(pets: Path, cache: Path) -> None:
    names = ["two words", "naïve-日本", "line\nbreak", os.fsdecode(b"latin-\xe9"), "dot.dot", "IMAGE.of images"]
    for number, name in enumerate(names):
        photo(pets / "images/train" / f"{name}.PNG", seed=10 + number)
        label(pets / "labels/train" / f"{name}.txt")
    split = open_dataset(pets, cache).splits["train"]
    assert len(split.images) == 2 + len(names)
    assert all(split.labels)
    (pets / "images/train/line\nbreak.PNG").write_bytes(b"")
    assert complaint(pets, cache).endswith(r"images/train/line\nbreak.PNG: the file is empty")


def test_repeated_rows_are_counted_once_with_a_warning(pets: Path, cache: Path) -> None:
    label(pets / "labels/train/a.txt", BOX * 3)
    expected = ("split 'train' has 2 repeated label rows; each is counted once, as in Ultralytics",)
    assert open_dataset(pets, cache).warnings == expected
    assert open_dataset(pets, cache).warnings == expected  # remembered


def test_evaluation_on_training_images_is_allowed_with_a_warning(pets: Path, cache: Path) -> None:
    data = open_dataset(define(pets, val="images/train"), cache)
    assert data.warnings == (
        "split 'val' equals 'train': its accuracy does not show how well unseen images are detected",
    )
    shutil.copy(pets / "images/train/a.jpg", pets / "images/val/other.jpg")
    label(pets / "labels/val/other.txt")
    (warning,) = open_dataset(define(pets), cache).warnings
    assert "shares 1 image with" in warning


def test_a_split_without_any_label_is_refused(pets: Path, cache: Path) -> None:
    shutil.rmtree(pets / "labels/val")
    text = complaint(pets, cache)
    assert "'val' has no labelled object" in text
    assert f"{pets}/labels/val/c.txt" in text


def test_the_key_follows_the_content_and_not_the_place(pets: Path, cache: Path, tmp_path: Path) -> None:
    key = open_dataset(pets, cache).key
    shutil.copytree(pets, tmp_path / "elsewhere")
    assert open_dataset(tmp_path / "elsewhere", cache).key == key
    label(pets / "labels/train/a.txt", BOX.replace("0.25", "0.26"))
    moved = open_dataset(pets, cache).key
    renamed = open_dataset(define(pets, names=["cat", "cow"]), cache).key
    photo(pets / "images/train/b.jpg", seed=77)
    repainted = open_dataset(pets, cache).key
    assert len({key, moved, renamed, repainted}) == 4


def test_a_second_start_reads_no_file_again(pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        read.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    first = open_dataset(pets, cache)
    assert {*first.splits["train"].images, *filter(None, first.splits["train"].labels)} <= set(read)
    read.clear()
    assert open_dataset(pets, cache) == first
    assert not {*first.splits["train"].images, *first.splits["train"].labels} & set(read)


def test_a_change_that_keeps_size_and_time_is_noticed(pets: Path, cache: Path) -> None:
    key = open_dataset(pets, cache).key
    file = pets / "labels/train/a.txt"
    times = file.stat()
    label(file, BOX.replace("0.25", "0.27"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert open_dataset(pets, cache).key != key


@pytest.mark.parametrize("content", [b"", b"null", b"[1]", b'{"x": 1}', b"\xff", b"[" * 100000])
def test_a_broken_memory_only_costs_time(pets: Path, cache: Path, content: bytes) -> None:
    first = open_dataset(pets, cache)
    (memory,) = cache.glob("checked-*.json")
    memory.write_bytes(content)
    assert open_dataset(pets, cache) == first


def test_a_stricter_check_discards_earlier_results(pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_dataset(pets, cache)
    monkeypatch.setattr(data_memory, "CHECK_VERSION", 0)
    open_dataset(pets, cache)
    assert len(list(cache.glob("checked-*.json"))) == 2


class Bomb:
    """Unpickling it would end the test run."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.abort, ()


def test_foreign_pickles_are_not_touched_and_the_data_stays_as_it_was(pets: Path, cache: Path) -> None:
    for name in ("train", "val"):
        (pets / f"labels/{name}.cache").write_bytes(pickle.dumps(Bomb()))
    before = {path: path.lstat().st_mtime_ns for path in pets.rglob("*")}
    open_dataset(pets, cache)
    assert {path: path.lstat().st_mtime_ns for path in pets.rglob("*")} == before
    assert not [path for path in cache.iterdir() if path.suffix not in {".yaml", ".json", ".txt"}]


def test_our_yaml_means_the_same_from_any_directory(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = open_dataset(define(pets, test="images/val"), cache)
    monkeypatch.chdir(tmp_path)
    again = open_dataset(data.yaml, cache)
    assert (again.key, again.splits, again.classes) == (data.key, data.splits, data.classes)
