"""Forms of data sets as people bring them: each changes a small set, and says how it must be read."""

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


def test_split(value: str) -> Change:
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
    for number, name in enumerate(("a b", "it's", 'say "x"', "50%20", "#1", "naïve-日本", "a.b.c", "x&y;z", "[1]", "$HOME")):
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
        boxes = [{"id": i, "image_id": i, "category_id": 5, "bbox": [6, 4, 12, 8], "iscrowd": 0} for i in range(len(names))]
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


FORMS = (
    Form("as documented", lambda root: None),
    # the YAML as text
    Form("byte order mark", yaml(YAML, "utf-8-sig")),
    Form("carriage returns", yaml(YAML.replace("\n", "\r\n"))),
    Form("UTF-16", yaml(YAML, "utf-16"), beyond_stock=True),
    Form("Windows-1252", yaml(YAML.replace("red", "bébé"), "cp1252"), says="Windows-1252", beyond_stock=True),
    Form("UTF-8", yaml(YAML.replace("red", "красный"))),
    Form("tab after a colon", yaml(YAML.replace("names: ", "names:\t")), beyond_stock=True),
    Form("tabs for spaces", yaml(YAML.split("names")[0] + "names:\n\t0: red\n\t1: green\n\t2: blue\n"), None, "tabs", True),
    Form("comments and blank lines", yaml("# mine\n\n" + YAML.replace("\n", "  # x\n\n"))),
    Form("a key that stands twice", yaml("nc: 4\n" + YAML + "nc: 3\n")),
    # classes
    Form("names by number", yaml(YAML.split("names")[0] + "names:\n  0: red\n  1: green\n  2: blue\n")),
    Form("names by text", yaml(YAML.split("names")[0] + "names: {'0': red, '1': green, '2': blue}\n")),
    Form("names in any order", yaml(YAML.split("names")[0] + "names: {2: blue, 0: red, 1: green}\n")),
    Form("numbers by name", yaml(YAML.split("names")[0] + "names: {green: 1, red: 0, blue: 2}\n"), beyond_stock=True),
    Form("names that are no text", yaml(YAML.replace("red", "yes").replace("green", "7"))),
    Form("nc beside names", yaml("nc: 3\n" + YAML)),
    Form("nc as text", yaml("nc: '3'\n" + YAML)),
    Form("nc with a point", yaml("nc: 3.0\n" + YAML)),
    Form("nc alone", yaml(YAML.split("names")[0] + "nc: 3\n")),
    Form("another nc", yaml("nc: 4\n" + YAML), "'nc' is 4 but 'names' has 3 classes"),
    Form("names from 1", yaml(YAML.split("names")[0] + "names: {1: red, 2: green, 3: blue}\n"), "must be 0 to 2"),
    Form("more classes than occur", yaml(YAML.replace("blue", "blue, black")), says="occur nowhere"),
    # splits
    Form("validation for val", yaml(YAML.replace("val:", "validation:"))),
    Form("lists of folders", yaml(YAML.replace("images/train", "[images/train]").replace("images/val", "[images/val]"))),
    Form("a folder above", yaml(YAML.replace("images/train", "./images/../images/train/"))),
    Form("test", test_split("test: images/test\n")),
    Form("test as a list of folders", test_split("test: [images/test]\n")),
    Form("test without images", yaml(YAML + "test: images/test\n"), says="split 'test' is left out"),
    Form("test that is None", yaml(YAML + "test: None\n")),
    Form("test that is empty", yaml(YAML + "test:\n")),
    Form("minival that is missing", yaml(YAML + "minival: images/mini\n"), says="split 'minival' is left out"),
    Form("a number under test", yaml(YAML + "testset_version: 2\ntest_date: 2024-05-06\n")),
    Form("an export of Roboflow", roboflow, says="split 'test' is left out"),
    Form("val that is train", yaml(YAML.replace("images/val", "images/train")), says="equals 'train'"),
    Form("train that is missing", yaml(YAML.replace("images/train", "images/trian")), "images/trian does not exist"),
    Form("no val", yaml(YAML.replace("val:", "valid:")), "key 'val' is missing"),
    Form("an absolute path", lambda root: put(root / "data.yaml", f"path: {root}\n" + YAML)),
    Form("a folder by its name", lambda root: put(root / "data.yaml", YAML), opened="."),
    Form("subfolders", lambda root: [
        moved("images/train/a.png", "images/train/deep/a.png")(root),
        moved("labels/train/a.txt", "labels/train/deep/a.txt")(root)]),
    Form("images beside labels in a folder of each split", lambda root: [
        moved("images/val", "v/images")(root), moved("labels/val", "v/labels", YAML.replace("images/val", "v/images"))(root)]),
    Form("a folder without images in its path", lambda root: [
        shutil.copytree(root / "images/train", root / "photos"), shutil.copytree(root / "labels/train", root / "photos",
        dirs_exist_ok=True), put(root / "data.yaml", YAML.replace("images/train", "photos"))]),
    Form("hidden files", lambda root: put(root / "images/train/.a.png", b"")),
    Form("other files among images", lambda root: put(root / "images/train/notes.txt", "seen")),
    Form("linked images", linked_images, beyond_stock=True),
    Form("a linked set", linked_set),
    Form("odd names", odd_names),
    Form("odd folders", odd_folder),
    Form("an archive beside the YAML", archive, "holds set.zip: unpack it first"),
    Form("an archive", lambda root: shutil.make_archive(str(root / "set"), "zip", root), "is an archive", opened="set.zip"),
    # lists of images
    Form("a list", listed("./images/train/a.png\n./images/train/b.png\n")),
    Form("a list of whole paths", listed("ROOT/images/train/a.png\nROOT/images/train/b.png\n")),
    Form("a list from Windows", listed("\ufeff./images/train/a.png\r\n\r\n./images/train/b.png")),
    Form("a list that repeats", listed("./images/train/a.png\n" * 2), says="more than once"),
    Form("a list with backslashes", listed(".\\images\\train\\a.png\n"), beyond_stock=True),
    Form("a list relative to the YAML", listed("images/train/a.png\n"), beyond_stock=True),
    Form("a list of another machine", listed("C:\\set\\images\\train\\a.png\n"), "the file is at images/train/a.png"),
    Form("a list with a lost image", listed("./images/train/a.png\n./images/train/z.png\n"), "train.txt:2: image"),
    Form("lists of lists", lambda root: [
        listed("./images/train/a.png\n")(root), put(root / "more.txt", "./images/train/b.png\n"),
        put(root / "data.yaml", YAML.replace("images/train", "[train.txt, more.txt]"))]),
    # paths of other systems
    Form("backslashes", yaml(YAML.replace("images/train", "images\\train")), beyond_stock=True),
    Form("a Windows path", yaml("path: C:\\Users\\me\\set\n" + YAML), "is a Windows path (the folder of this file has"),
    Form("a split on Windows", yaml(YAML.replace("images/train", "D:\\set\\images\\train")), "write 'train: images/train'"),
    Form("a path of Colab", yaml("path: /content/set\n" + YAML), "has images/train: remove the key 'path'"),
    # images
    Form("JPEG", picture("x.jpg", "JPEG")),
    Form("upper case", picture("X.JPG", "JPEG")),
    Form("a JPEG that is called PNG", picture("x.png", "JPEG")),
    Form("grey", picture("x.png", "PNG", "L")),
    Form("palette", picture("x.png", "PNG", "P")),
    Form("alpha", picture("x.png", "PNG", "RGBA")),
    Form("WebP", picture("x.webp", "WEBP")),
    Form("BMP", picture("x.bmp", "BMP")),
    Form("TIFF", picture("x.tif", "TIFF")),
    Form("an empty image", lambda root: put(root / "images/train/x.png", b""), "x.png: the file is empty"),
    Form("a GIF", picture("x.jpg", "GIF", "P"), "format GIF is not one that Ultralytics reads"),
    Form("background images", lambda root: (root / "labels/train/b.txt").unlink(), says="have no label file"),
    Form("an empty label file", row("")),
    # labels
    Form("labels from Windows", row("\ufeff" + BOX.replace("\n", "\r\n"))),
    Form("labels in UTF-16", lambda root: put(root / "labels/train/a.txt", BOX.encode("utf-16")), beyond_stock=True),
    Form("tabs and blanks", row("  0\t0.5  0.5\t0.25 0.5  \n\n\n")),
    Form("classes with a point", row("0.0 0.5 0.5 0.25 0.5\n2.000 0.5 0.5 0.1 0.1\n")),
    Form("scientific notation", row("1 5e-1 5.0E-01 2.5e-1 .5\n")),
    Form("repeated rows", row(BOX * 3), says="2 repeated label rows"),
    Form("polygons", row("1 0.1 0.2 0.5 0.2 0.3 0.6\n0 0.2 0.2 0.4 0.2 0.4 0.5 0.2 0.5\n"), says="2 polygons in place"),
    Form("polygons among boxes", row(BOX + "1 0.1 0.2 0.5 0.2 0.3 0.6\n"), None, "1 polygons in place", True),
    Form("a sixth column", row("0 0.5 0.5 0.25 0.5 0.93\n"), None, "1 rows with a sixth column", True),
    Form("rows without size", row(BOX + "1 0.4 0.4 0 0.1\n"), says="1 rows without width or height"),
    Form("out by rounding", row("0 0.95 0.5 0.1004 0.5\n1 1.004 0.5 0.2 0.2\n"), says="reach out of the image by"),
    Form("out by rounding errors", row("0 0.9500003 0.5 0.1 0.5\n")),
    Form("a box beyond the border", row("0 0.95 0.5 0.3 0.5\n"), says="taken as they are"),
    Form("in px", row("0 12 8 6 8\n"), "a.txt:1: coordinate 12 is out of range"),
    Form("out by more", row("0 1.2 0.5 0.1 0.1\n"), "a.txt:1: coordinate 1.2 is out of range"),
    Form("a class too many", row("3 0.5 0.5 0.1 0.1\n"), "class 3 is out of range; the data set has classes 0 to 2"),
    Form("classes by name", row("red 0.5 0.5 0.1 0.1\n"), "'red' is not a finite number"),
    Form("commas", row("0,0.5,0.5,0.1,0.1\n"), "1 columns; a detection label has 5"),
    Form("a width below 0", row("0 0.5 0.5 -0.1 0.1\n"), "coordinate -0.1 is out of range"),
    # boxes in JSON
    Form("COCO", coco, beyond_stock=True),
    Form("COCO without names", coco_without_names, beyond_stock=True),
    Form("COCO in one file", coco_in_one_file, beyond_stock=True),
    Form("COCO with another category", lambda root: coco(root, categories=[{"id": 5, "name": "pink"}]), "'pink' is no class"),
    Form("COCO that is no COCO", lambda root: coco(root, images={}), "'images' is"),
    Form("COCO alone", coco, "is JSON; write a YAML", opened="annotations/train.json"),
)  # fmt: skip
