"""The YAML of a model: found where Ultralytics finds it, and refused in one line that names the place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spaces.base import SpaceError
from spaces.structure.model_yaml import is_known, is_other_code, read_model_yaml
from spaces.structure.stock import resolve
from tests.foreign.models import small_model


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nc: 3\nbackbone:\n\t- [-1, 1, Conv, [64, 3, 2]]\n", "line 3, column 1: not plain YAML: found character"),
        ("nc: 3\nbackbone: [-1, 1\n", "line 3, column 1: not plain YAML"),
        ("- [-1, 1, Conv, [64, 3, 2]]\n", "is no model YAML; it needs the keys backbone and head"),
        ("nc:3\n", "is no model YAML"),
        ("a: !!python/object/apply:os.system [x]\n", "line 1, column 4: not plain YAML"),
    ],
)
def test_a_slip_is_named_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(SpaceError, match=re.escape(said)) as raised:
        resolve(str(file), 3)
    assert "mine.yaml" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name", ["yolov8n", "yolov8n.yaml", "yolo11x.yaml", "yolov5s6", "yolov8x-p6.yaml", "yolov9t.yaml"]
)
def test_a_name_of_ultralytics_is_read_as_ultralytics_reads_it(name: str) -> None:
    from ultralytics.nn.tasks import yaml_model_load

    assert read_model_yaml(name) == yaml_model_load(name if name.endswith(".yaml") else f"{name}.yaml")


@pytest.mark.parametrize(
    "name", ["", "nonsense", "*", "**/*.yaml", "a" * 5000, "\0", "../../../etc/passwd", "yolov8n.yaml/x"]
)
def test_other_names_are_unknown(name: str) -> None:
    assert not is_known(name)


def test_a_file_of_the_user_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yolov8n.yaml").write_text("nc: 7\nbackbone: []\nhead: []\n")
    assert read_model_yaml("yolov8n.yaml")["nc"] == 7


def test_only_layers_are_layers() -> None:
    assert not any(map(is_other_code, ("Conv", "nn.Upsample", "Detect", "unknown")))
    assert all(map(is_other_code, ("torch_safe_load", "Path", "torch", "nn.functional", "nn.init")))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"backbone": [[-1, 1, "Conv", [10**9, 3, 2]]]}, "has the argument 1e+09 in a layer; at most 8192 is built"),
        ({"backbone": [[-1, 200, "Conv", [16, 3, 1]]] * 6}, "has 1201 layers with all repeats; at most 1000 are built"),
        ({"backbone": [[-1, 1, "Conv", [8192, 3, 1]]] * 20}, "million parameters; at most 150 are built"),
        ({"backbone": [[-1, 1, "nn.Upsample", [None, 4000, "nearest"]]] * 3}, "million values between layers"),
    ],
)
def test_a_model_that_needs_too_much_is_refused_before_it_is_built(change: dict[str, object], said: str) -> None:
    with pytest.raises(SpaceError, match=re.escape(said)):
        resolve(small_model(**change), 1)
