"""A part of a data set is the one that Ultralytics takes by the same arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from objectives.data.dataset import DataError, Dataset, open_dataset
from objectives.data.loader import detection_dataset
from objectives.data.split import Selection

from ultralytics.data.dataset import YOLODataset

SCENES = {"train": 10, "val": 4, "test": 1}
SELECTIONS = [
    Selection(classes=(0, 2)),
    Selection(single_cls=True),
    Selection(classes=(1, 7), single_cls=True),
    Selection(fraction=0.25),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("selection")


def _open(cache: Path, selection: Selection) -> Dataset:
    return open_dataset("digits", cache, scenes=SCENES, selection=selection)


def _rows(data: Any) -> list[tuple[str, list[float]]]:
    return [
        (
            Path(each["im_file"]).name,
            [float(value) for value in np.concatenate((each["cls"], each["bboxes"]), 1).ravel()],
        )
        for each in data.labels
    ]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
@pytest.mark.parametrize("split", ["train", "val"])
def test_images_and_labels_are_those_of_ultralytics(selection: Selection, split: str, cache: Path) -> None:
    whole = _open(cache, Selection())
    content = yaml.safe_load(whole.yaml.read_text(encoding="utf-8"))
    stock = YOLODataset(
        img_path=content[split],
        data={"names": content["names"], "nc": len(content["names"]), "channels": 3},
        task="detect",
        augment=False,
        cache=False,
        imgsz=32,
        classes=None if selection.classes is None else list(selection.classes),
        single_cls=selection.single_cls,
        fraction=selection.fraction if split == "train" else 1.0,
    )
    ours = detection_dataset(_open(cache, selection), split, imgsz=32, batch=1, augment=None, rect=False)
    found, wanted = _rows(ours), _rows(stock)
    assert [name for name, _ in found] == [name for name, _ in wanted]
    for (_, rows), (_, right) in zip(found, wanted, strict=True):
        np.testing.assert_allclose(rows, right, atol=1e-6)


def test_each_part_is_other_data(cache: Path) -> None:
    opened = [_open(cache, selection) for selection in (Selection(), *SELECTIONS)]
    assert len({data.key for data in opened}) == len(opened)
    assert [data.classes == opened[0].classes for data in opened] == [True, True, False, False, True]
    assert opened[2].classes == ("item",)


def test_a_class_that_is_not_there_is_refused_with_those_that_are(cache: Path) -> None:
    with pytest.raises(DataError, match=r"data.classes names 12; .* has the classes 0 0, 1 1"):
        _open(cache, Selection(classes=(0, 12)))
