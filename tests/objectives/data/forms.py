"""A small data set, and changes that give it the forms in which people bring theirs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

Change = Callable[[Path], object]
BOX = "0 0.5 0.5 0.25 0.5\n"
YAML = "train: images/train\nval: images/val\nnames: [red, green, blue]\n"


class Form(NamedTuple):
    """One form.

    Attributes:
        change: Changes the set in a folder, whose definition is `data.yaml`.
        refused: Part of the message if it is refused; None if it is read.
        says: Part of a warning, if one is due.
        beyond_stock: True if Ultralytics refuses it, drops images of it, or reads it as nobody means it.
        opened: What is opened in place of `data.yaml`.
    """

    name: str
    change: Change
    refused: str | None = None
    says: str = ""
    beyond_stock: bool = False
    opened: str = "data.yaml"


@cache
def pixels(seed: int, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """Return a picture of noise, 24 x 16 px."""
    noise = np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(noise).convert(mode).save(file, format=kind)
    return file.getvalue()


def put(file: Path, content: str | bytes) -> Path:
    """Write a file and its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def write_base(root: Path) -> Path:
    """Write the set: four images in train, two in val, three classes."""
    for number, name in enumerate(("train/a", "train/b", "train/c", "train/d", "val/e", "val/f")):
        put(root / f"images/{name}.png", pixels(number))
        put(root / f"labels/{name}.txt", f"{BOX}{number % 3} 0.{number + 2} 0.3 0.1 0.2\n")
    put(root / "data.yaml", YAML)
    return root


def yaml(text: str, encoding: str = "utf-8") -> Change:
    """Return a change that writes this definition."""
    return lambda root: put(root / "data.yaml", text.encode(encoding))


def row(text: str) -> Change:
    """Return a change that writes these rows for one image."""
    return lambda root: put(root / "labels/train/a.txt", text)


def listed(text: str, encoding: str = "utf-8") -> Change:
    """Return a change that names the images of train by a list."""

    def change(root: Path) -> None:
        put(root / "train.txt", text.replace("ROOT", str(root)).encode(encoding))
        put(root / "data.yaml", YAML.replace("images/train", "train.txt"))

    return change


def moved(source: str, target: str, text: str = YAML) -> Change:
    """Return a change that moves a part of the set."""

    def change(root: Path) -> None:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / source, root / target)
        put(root / "data.yaml", text)

    return change


def picture(name: str, kind: str, mode: str = "RGB") -> Change:
    """Return a change that adds an image of this kind."""

    def change(root: Path) -> None:
        put(root / f"images/train/{name}", pixels(9, kind, mode))
        put(root / f"labels/train/{Path(name).stem}.txt", BOX)

    return change


def with_test(value: str) -> Change:
    """Return a change that names a test split, which is there as `images/test`."""

    def change(root: Path) -> None:
        put(root / "images/test/t.png", pixels(8))
        put(root / "labels/test/t.txt", BOX)
        put(root / "data.yaml", YAML + value)

    return change


def roboflow(root: Path) -> None:
    """Rearrange the set as Roboflow exports it, without a test split."""
    for split, name in (("train", "train"), ("val", "valid")):
        for kind in ("images", "labels"):
            (root / name).mkdir(exist_ok=True)
            (root / kind / split).rename(root / name / kind)
    put(
        root / "data.yaml",
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 3\nnames: ['red', 'green', 'blue']\n"
        "\nroboflow:\n  workspace: w\n  version: 2\n  license: CC BY 4.0\n",
    )


def linked_images(root: Path) -> None:
    """Let the images lie in a store elsewhere, with labels beside the link."""
    shutil.move(root / "images", root.parent / "store")
    (root / "images").symlink_to(root.parent / "store")


def linked_set(root: Path) -> None:
    """Let the whole set be a link."""
    shutil.move(root, root.parent / "real")
    root.symlink_to(root.parent / "real")


def odd_names(root: Path) -> None:
    """Add images whose names are hard on shells and URLs."""
    for number, name in enumerate(
        ("a b", "it's", 'say "x"', "50%20", "#1", "naïve-日本", "a.b.c", "x&y;z", "[1]", "$HOME")
    ):
        put(root / f"images/train/{name}.png", pixels(20 + number))
        put(root / f"labels/train/{name}.txt", BOX)


def odd_folder(root: Path) -> None:
    """Let the images lie in folders with such names."""
    for kind in ("images", "labels"):
        (root / kind / "train").rename(root / kind / "a b'#%20é [1]")
    put(root / "data.yaml", YAML.replace("images/train", '"images/a b\'#%20é [1]"'))


def coco(root: Path, **changes: object) -> None:
    """Replace the labels by one JSON file for each split."""
    shutil.rmtree(root / "labels")
    for split, names in (("train", "abcd"), ("val", "ef")):
        images = [{"id": i, "file_name": f"{name}.png", "width": 24, "height": 16} for i, name in enumerate(names)]
        boxes = [
            {"id": i, "image_id": i, "category_id": 5, "bbox": [6, 4, 12, 8], "iscrowd": 0} for i in range(len(names))
        ]
        content = {
            "images": images,
            "annotations": boxes,
            "categories": [{"id": 5, "name": "green"}, {"id": 2, "name": "red"}, {"id": 9, "name": "blue"}],
        }
        put(root / f"annotations/{split}.json", json.dumps(content | changes))
    put(root / "data.yaml", YAML + "annotations: {train: annotations/train.json, val: annotations/val.json}\n")


def coco_without_names(root: Path) -> None:
    """Leave the class names to the JSON files."""
    coco(root)
    put(root / "data.yaml", (root / "data.yaml").read_text().replace("names: [red, green, blue]\n", ""))


def coco_in_one_file(root: Path) -> None:
    """Name one JSON file for all splits, with paths below `images`."""
    coco(root)
    train, val = (json.loads((root / f"annotations/{split}.json").read_text()) for split in ("train", "val"))
    for split, content in (("train", train), ("val", val)):
        for image in content["images"]:
            image |= {"file_name": f"{split}/{image['file_name']}", "id": image["id"] + 10 * (split == "val")}
    for box in val["annotations"]:
        box["image_id"] += 10
    for key in ("images", "annotations"):
        train[key] += val[key]
    put(root / "all.json", json.dumps(train))
    put(root / "data.yaml", YAML + "annotations: all.json\n")


def archive(root: Path) -> None:
    """Leave the images in an archive beside the YAML."""
    shutil.rmtree(root / "images")
    put(root / "set.zip", b"PK")
