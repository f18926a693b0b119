"""The loader gives Ultralytics what its own data set would give, once per process, without touching the files."""

from __future__ import annotations

import os
import pickle
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data import loader
from objectives.data.dataset import DataError, Dataset, open_dataset
from objectives.data.loader import detection_dataset, free_ram_bytes
from spaces.base import SpaceError
from tests.objectives.pets import label, photo


@pytest.fixture
def digits(digits: Dataset) -> Dataset:
    """Scenes under a key of their own: as if this process had read nothing of them yet."""
    return unread(digits)


def unread(data: Dataset) -> Dataset:
    """The same files under another key: the loader reads them again."""
    return replace(data, key=uuid.uuid4().hex)


@pytest.fixture
def varied(pets: Path, cache: Path) -> Dataset:
    """Images of all shapes, one turned by its EXIF tag, one polygon, one background."""
    for number, size in enumerate([(200, 90), (90, 200), (64, 64), (150, 149), (31, 77)]):
        photo(pets / f"images/val/v{number}.png", size=size, seed=number)
        label(pets / f"labels/val/v{number}.txt", "0 0.4 0.5 0.25 0.5\n1 0.7 0.3 0.2 0.1\n")
    (pets / "labels/val/v0.txt").unlink()
    label(pets / "labels/val/v1.txt", "1 0.1 0.2 0.5 0.2 0.3 0.6\n")
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    Image.new("RGB", (80, 40), "red").save(pets / "images/val/turned.jpg", exif=exif)
    label(pets / "labels/val/turned.txt")
    return open_dataset(pets, cache)


def validation(data: Dataset, imgsz: int = 96, batch: int = 2) -> Any:
    return detection_dataset(data, "val", imgsz=imgsz, batch=batch, augment=None, rect=True)


def stock(data: Dataset, tmp_path: Path, **arguments: Any) -> Any:
    """Ultralytics' own data set on a copy of the files (it writes a cache beside them)."""
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.utils import DEFAULT_CFG

    first = data.splits["val"].images[0].parent
    copy = tmp_path / "copy"
    shutil.copytree(first.parents[1], copy)
    return YOLODataset(
        img_path=str(copy / "images" / first.name),
        data={"names": dict(enumerate(data.classes)), "channels": 3},
        task="detect",
        hyp=DEFAULT_CFG,
        **arguments,
    )


@pytest.mark.parametrize("imgsz", [96, 160])
def test_a_validation_sample_equals_ultralytics(varied: Dataset, tmp_path: Path, imgsz: int) -> None:
    theirs = stock(varied, tmp_path, imgsz=imgsz, augment=False, rect=True, batch_size=2, stride=32, pad=0.5)
    ours = validation(varied, imgsz)
    assert len(ours) == len(theirs) == 7
    by_name = {Path(file).name: i for i, file in enumerate(theirs.im_files)}
    np.testing.assert_array_equal(ours.batch_shapes, theirs.batch_shapes)
    for number in range(len(ours)):
        mine = ours[number]
        other = theirs[by_name[Path(mine["im_file"]).name]]
        assert mine.keys() == other.keys()
        for name in ("img", "bboxes", "cls", "batch_idx"):
            # a polygon's box is worked out in float64 here and in float32 there
            torch.testing.assert_close(mine[name], other[name], rtol=0, atol=1e-6)
        for name in ("ori_shape", "resized_shape", "ratio_pad"):
            assert tuple(np.ravel(mine[name])) == tuple(np.ravel(other[name]))


def test_training_samples_follow_the_seed_and_the_augmentation(digits: Dataset) -> None:
    def first(seed: int, **augment: float) -> torch.Tensor:
        import random

        random.seed(seed)
        np.random.seed(seed)
        dataset = detection_dataset(digits, "train", imgsz=96, batch=8, augment=augment, rect=False)
        return torch.as_tensor(dataset[0]["img"])

    assert torch.equal(first(1, mosaic=1.0), first(1, mosaic=1.0))
    assert not torch.equal(first(1, mosaic=1.0), first(2, mosaic=1.0))
    still = {"mosaic": 0.0, "translate": 0.0, "scale": 0.0, "hsv_v": 0.0, "hsv_h": 0.0, "hsv_s": 0.0, "fliplr": 0.0}
    assert torch.equal(first(1, **still), first(2, **still))


def test_augmentation_does_not_reach_the_shared_images(digits: Dataset) -> None:
    plain = validation(digits)
    before = [plain[i]["img"].clone() for i in range(len(plain))]
    # no geometry at all: then Ultralytics changes the colours of the very array that it was given
    loud = {"hsv_v": 0.9, "hsv_s": 0.9, "translate": 0.0, "scale": 0.0, "mosaic": 0.0, "fliplr": 1.0}
    for augment in (loud, {"mosaic": 1.0, "mixup": 1.0, "degrees": 30.0}):
        training = detection_dataset(digits, "val", imgsz=96, batch=8, augment=augment, rect=False)
        samples = [training[i] for i in range(len(training))]
        assert not all(torch.equal(s["img"], b) for s, b in zip(samples, before, strict=True))
    again = validation(digits)
    assert all(torch.equal(again[i]["img"], b) for i, b in enumerate(before))


def test_mosaic_can_be_closed(digits: Dataset) -> None:
    from ultralytics.utils import DEFAULT_CFG_DICT, IterableSimpleNamespace

    dataset = detection_dataset(digits, "train", imgsz=96, batch=8, augment={"mosaic": 1.0}, rect=False)
    dataset.close_mosaic(IterableSimpleNamespace(**DEFAULT_CFG_DICT))
    assert len(dataset[0]["cls"]) <= 6  # one scene again, not four


def test_a_second_data_set_reads_no_file(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    validation(digits)
    for reader in ("decode", "open_image", "read_rows"):
        monkeypatch.setattr(loader, reader, lambda *_: pytest.fail("read again"))
    samples = validation(digits)
    assert samples[0]["img"].shape == (3, 128, 128)


def test_each_image_size_is_loaded_once(digits: Dataset) -> None:
    shared = {imgsz: validation(digits, imgsz).shared for imgsz in (96, 64)}
    for imgsz, images in shared.items():
        assert {pixels.shape for pixels in images.values()} == {(imgsz, imgsz, 3)}
        assert validation(digits, imgsz).shared is images


def test_images_stay_on_the_disk_when_ram_is_short(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = validation(digits)
    digits = unread(digits)
    monkeypatch.setattr(loader, "free_ram_bytes", lambda: 24 * 96 * 96 * 3)
    dataset = validation(digits)
    assert dataset.shared is None
    assert all(torch.equal(dataset[i]["img"], cached[i]["img"]) for i in range(len(dataset)))
    training = detection_dataset(digits, "train", imgsz=96, batch=2, augment={"mosaic": 1.0}, rect=False)
    assert training.shared is None
    assert all(training[i]["img"].shape == (3, 96, 96) for i in range(len(training)))
    assert len(training.buffer) <= 16


def test_free_ram_is_no_more_than_the_machine_has() -> None:
    assert 0 < free_ram_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Bomb:
    """Unpickling it would end the test run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.abort, ()


def snapshot(folder: Path) -> Iterator[tuple[Path, int, int]]:
    for path in sorted(folder.rglob("*")):
        yield path, path.stat().st_mtime_ns, path.stat().st_size


def test_pickles_and_arrays_beside_the_images_are_neither_read_nor_written(varied: Dataset, pets: Path) -> None:
    (pets / "labels/val.cache").write_bytes(pickle.dumps(Bomb()))
    np.save(pets / "images/val/v2.npy", np.zeros((4, 4, 3), np.uint8))
    before = list(snapshot(pets))
    dataset = validation(varied)
    for i in range(len(dataset)):
        dataset[i]
    assert list(snapshot(pets)) == before


def test_an_unknown_split_or_argument_is_named(digits: Dataset) -> None:
    with pytest.raises(SpaceError, match="has no split 'dev'; it has train, val, test"):
        detection_dataset(digits, "dev", imgsz=96, batch=8, augment=None, rect=True)
    with pytest.raises(SpaceError, match="unknown augmentation arguments: mosiac"):
        detection_dataset(digits, "train", imgsz=96, batch=8, augment={"mosiac": 1}, rect=False)


def test_a_file_damaged_after_the_check_is_named(varied: Dataset, pets: Path) -> None:
    (pets / "images/val/v2.png").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"v2\.png"):
        validation(varied)
    photo(pets / "images/val/v2.png")
    label(pets / "labels/val/v2.txt", "7 0.5 0.5 0.5 0.5\n")
    with pytest.raises(DataError, match=r"v2\.txt:1: class 7"):
        validation(varied)
