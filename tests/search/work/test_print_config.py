"""`--print-config`: what is printed is a study, and says where its settled values come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file

from search.study.definition import load_study
from search.work.print_config import print_config


def _printed(capsys: pytest.CaptureFixture[str], *overrides: str, **command_line: Any) -> str:
    assert print_config(load_study("nas_head", overrides, **command_line)) == 0
    return capsys.readouterr().out


def test_what_is_printed_is_the_same_study(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = _printed(capsys, "recipe.lr0={low: 0.001, high: 0.01, log: true}")
    path = tmp_path / "nas_head.yaml"
    path.write_text(text)
    again, first = load_study(str(path)), load_study("nas_head", ["recipe.lr0={low: 0.001, high: 0.01, log: true}"])
    assert again.as_plain() == first.as_plain()
    assert "#   lr0: searched" in text


def test_the_image_size_is_named_with_where_it_comes_from(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = tmp_path / "own.yaml"
    data.write_text(yaml.safe_dump({"train": "a", "val": "b", "names": ["x"]}))
    weights = tmp_path / "own.safetensors"
    save_file({"model.0.conv.weight": torch.zeros(1)}, weights, metadata={"imgsz": "320"})
    assert "# image size: 96  (data)" in _printed(capsys)
    assert "# image size: 640  (default)" in _printed(capsys, data=str(data))
    assert "# image size: 320  (checkpoint)" in _printed(capsys, data=str(data), model=str(weights))
    assert "# image size: 160  (study)" in _printed(capsys, data=str(data), model=str(weights), imgsz=160)


def test_the_image_size_of_a_recipe_is_the_studys_or_its_own_or_searched(capsys: pytest.CaptureFixture[str]) -> None:
    parents, own = _printed(capsys, "recipe.imgsz=128").split("# recipe, settled")
    assert "#   imgsz: 96  (data)" in parents
    assert "#   imgsz: 128  (study)" in own
    assert "#   imgsz: 160  (study)" in _printed(capsys, imgsz=160).split("# recipe, settled")[1]
    searched = _printed(capsys, "recipe.imgsz={low: 64, high: 128}")
    assert "#   imgsz: searched" in searched
    assert yaml.safe_load(searched)["recipe"]["imgsz"] == {"low": 64, "high": 128, "step": 32}
