"""Everything wrong in a data set's YAML or image lists is named with its line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.objectives.pets import complaint, define


@pytest.mark.parametrize(
    ("changes", "line", "message"),
    [
        ({"download": "import os; os.abort()"}, 4, "'download:' is refused"),
        ({"train": None}, 1, "key 'train' is missing"),
        ({"val": None}, 1, "key 'val' is missing"),
        ({"train": "images/trian"}, 1, "images/trian does not exist"),
        ({"val": ["images/val", "images/nothing"]}, 2, "images/nothing does not exist"),
        ({"val": "labels/val"}, 2, "no images in"),
        ({"val": "data.yaml"}, 2, "neither a folder nor a .txt list"),
        ({"val": {"a": 1}}, 2, "is not a folder"),
        ({"val": 7}, 2, "is not a folder"),
        ({"path": "nowhere"}, 4, "'path: nowhere' does not exist"),
        ({"path": ["x"]}, 4, "is not a path"),
        ({"names": None}, 1, "'names' is missing"),
        ({"names": "cat"}, 3, "'names' is missing"),
        ({"names": {0: "cat", 2: "dog"}}, 3, "must be 0 to 1"),
        ({"names": {"cat": 0, "dog": "x"}}, 3, "not a class number"),
        ({"names": [["cat"], "dog"]}, 3, "more than one name"),
        ({"nc": 3}, 4, "'nc' is 3 but 'names' has 2 classes"),
        ({"nc": "many"}, 4, "is not a number of classes"),
        ({"nc": 1_000_000, "names": None}, 3, "'nc: 1000000' is not a number of classes; give 1 to 20000"),
        ({"names": [f"c{number}" for number in range(20_001)]}, 3, "'names' has 20001 classes; at most 20000"),
        ({"nc": 1.5}, 4, "is not a number of classes"),
        ({"channels": 1}, 4, "only 3 are supported"),
        ({"kpt_shape": [17, 3]}, 4, "pose data set"),
    ],
)
def test_a_wrong_definition_is_named_with_its_line(
    pets: Path, cache: Path, changes: Mapping[str, object], line: int, message: str
) -> None:
    text = complaint(define(pets, **changes), cache)
    assert text.startswith(f"{pets / 'data.yaml'}:{line}: ")
    assert message in text
    assert not list(cache.glob("*.yaml"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"train",
        b"- train\n- val\n",
        b"train: [",
        b"\xff\xfe\x00binary\x00",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"train: !!python/object/apply:os.abort []\nval: x\nnames: [a]\n",
        b"a: &a [x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\ntrain: *c\nval: *c\nnames: *c\n",
        b"&a [*a]",
        b"? [a, b]\n: 1\n",
        b"train: 2024-99-99\nval: 0b9\nnames: [a]\n",
        b'train: "\\0"\nval: x\nnames: [a]\n',
        b"train: " + b"x" * 5000 + b"\nval: x\nnames: [a]\n",
        b"[" * 5000,
        b"[" * 2_000_000,
        b"train: x\nval: x\nnames:\n" + b"- a\n" * 500_000,
        b"nc: " + b"9" * 5000 + b"\ntrain: x\nval: x\n",
        b"nc: .inf\ntrain: x\nval: x\n",
        b"nc: 0x" + b"f" * 9000 + b"\ntrain: x\nval: x\n",
        b"names: [0x" + b"f" * 9000 + b"]\ntrain: x\nval: x\n",
        b"names: {.inf: a}\ntrain: x\nval: x\n",
    ],
)
def test_a_file_that_is_no_definition_is_refused(tmp_path: Path, cache: Path, content: bytes) -> None:
    file = tmp_path / "rubbish.yaml"
    file.write_bytes(content)
    text = complaint(file, cache)
    assert str(file) in text
    assert len(text) < 7000


def test_a_missing_data_set_says_what_can_be_given(tmp_path: Path, cache: Path) -> None:
    assert "did you mean digits" in complaint(Path("digit"), cache)
    assert "does not exist" in complaint(tmp_path / "no.yaml", cache)
    assert f"{tmp_path} holds no data set YAML: it is an empty folder" in complaint(tmp_path, cache)
    for name in ("one.yaml", "two.yml"):
        (tmp_path / name).touch()
    assert "a folder with 2 YAML files; name the one that is meant" in complaint(tmp_path, cache)
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "it is neither a file nor a folder" in complaint(tmp_path / "pipe.yaml", cache)


def test_a_wrong_list_is_named_with_its_line(pets: Path, cache: Path) -> None:
    file = define(pets, train="train.txt")
    (pets / "train.txt").write_text("./images/train/a.jpg\n./images/train/gone.jpg\n", encoding="utf-8")
    assert f"{pets}/train.txt:2: image ./images/train/gone.jpg does not exist" in complaint(file, cache)
    (pets / "train.txt").write_text("./data.yaml\n", encoding="utf-8")
    assert "train.txt:1: ./data.yaml is not an image" in complaint(file, cache)
    (pets / "train.txt").write_bytes(b"\xff\xd8\0")
    assert "not a text file" in complaint(file, cache)
