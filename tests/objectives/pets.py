"""A small data set with two classes, in files, to be changed and spoilt by the tests of the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from objectives.data.dataset import DataError, open_dataset

BOX = "0 0.5 0.5 0.25 0.5\n"
BOTH_CLASSES = BOX + "1 0.25 0.25 0.25 0.25\n"
DEFINITION = "train: images/train\nval: images/val\nnames: [cat, dog]\n"


def photo(path: Path, *, size: tuple[int, int] = (40, 32), seed: int = 0) -> Path:
    """Write a picture of noise; size is width, height in px."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def label(path: Path, text: str = BOTH_CLASSES) -> Path:
    """Write a label file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_pets(folder: Path) -> Path:
    """Write the data set: two images in train, one in val."""
    for number, name in enumerate(("train/a", "train/b", "val/c")):
        photo(folder / f"images/{name}.jpg", seed=number)
        label(folder / f"labels/{name}.txt")
    (folder / "data.yaml").write_text(DEFINITION, encoding="utf-8")
    return folder


def define(folder: Path, **changes: object) -> Path:
    """Write the definition anew, one line a key, with some keys changed; None removes a key."""
    content = yaml.safe_load(DEFINITION) | changes
    lines = [
        f"{key}: " + yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
        for key, value in content.items()
        if value is not None
    ]
    (folder / "data.yaml").write_text("\n".join(lines), encoding="utf-8")
    return folder / "data.yaml"


def complaint(source: Path, cache: Path) -> str:
    """Open a data set that must be refused; what the message says."""
    with pytest.raises(DataError) as raised:
        open_dataset(source, cache)
    return str(raised.value)
