"""Data sets as people have them are read as Ultralytics reads them: same classes, same images, same boxes, same splits.

Where Ultralytics drops images with a warning, we refuse them in one line; what we take beyond it is said below.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.check import read_labels
from objectives.data.dataset import DataError, Dataset, open_dataset
from tests.objectives.data.forms import Form, write_base
from tests.objectives.data.named_forms import FORMS

# isort: split
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset

Box = tuple[float, ...]
Read = Mapping[str, Counter[tuple[str, tuple[Box, ...]]]]
"""For each split the images by their real path, with their boxes."""


def tidied(rows: Any) -> tuple[Box, ...]:
    """Return boxes as both must have them: distinct, with a size, ending at the border if they miss it by rounding."""
    corners = np.array([[c, x - w / 2, y - h / 2, x + w / 2, y + h / 2] for c, x, y, w, h in rows]).reshape(-1, 5)
    beyond = np.maximum(-corners[:, 1:], corners[:, 1:] - 1).max(axis=1, initial=0)
    corners[:, 1:] = np.where((beyond <= 0.01)[:, None], corners[:, 1:].clip(0, 1), corners[:, 1:])
    sized = corners[(corners[:, 3] - corners[:, 1] > 1e-6) & (corners[:, 4] - corners[:, 2] > 1e-6)]
    return tuple(sorted({tuple(float(value) for value in each.round(4)) for each in sized}))


def by_stock(file: Path) -> tuple[list[str], Read]:
    """Read a data set by Ultralytics."""
    data = check_det_dataset(str(file), autodownload=False)
    splits = {}
    for name in ("train", "val", "test"):
        if not data.get(name) or (name == "test" and not Path(np.atleast_1d(data[name])[0]).exists()):
            continue
        found = YOLODataset(img_path=data[name], data=data, task="detect", augment=False, cache=False, imgsz=32)
        rows = [(each["im_file"], np.hstack([each["cls"], each["bboxes"]])) for each in found.labels]
        splits[name] = Counter((os.path.realpath(image), tidied(boxes)) for image, boxes in rows)
    return [data["names"][number] for number in range(data["nc"])], splits


def by_us(data: Dataset) -> tuple[list[str], Read]:
    """Return a data set as it was read by us."""
    splits = {}
    for name, split in data.splits.items():
        rows = [
            (image, read_labels(label, len(data.classes)))
            for image, label in zip(split.images, split.labels, strict=True)
        ]
        splits[name] = Counter((os.path.realpath(image), tidied(boxes)) for image, boxes in rows)
    return list(data.classes), splits


@pytest.fixture(scope="module", autouse=True)
def fast() -> Iterator[None]:
    """Leave out Ultralytics' look at the speed of the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ultralytics.data.base.check_file_speeds", lambda *_, **__: None)
        yield


@pytest.mark.parametrize("form", FORMS, ids=[form.name for form in FORMS])
def test_a_form_is_read_as_ultralytics_reads_it(form: Form, tmp_path: Path) -> None:
    root = write_base(tmp_path / "set")
    form.change(root)
    if form.refused is not None:
        with pytest.raises(DataError) as raised:
            open_dataset(root / form.opened, tmp_path / "cache")
        assert form.refused in str(raised.value)
        return
    data = open_dataset(root / form.opened, tmp_path / "cache")
    assert form.says in " | ".join(data.warnings)
    classes, splits = by_us(data)
    assert len(classes) >= 3
    if form.beyond_stock:
        assert sum(splits["train"].values()) in (1, 2, 4)
        assert len(splits["val"]) == 2
        assert all(boxes for _, boxes in (*splits["train"], *splits["val"]))
    else:
        assert (classes, splits) == by_stock(root / form.opened)


def test_there_are_enough_forms() -> None:
    assert len({form.name for form in FORMS}) == len(FORMS) >= 60
