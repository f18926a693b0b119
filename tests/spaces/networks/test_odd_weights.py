"""Weights files whose facts are of another kind than the reader asks for: each is refused in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spaces.base import SpaceError
from spaces.networks.weights import read_weights
from tests.foreign.weights import TENSOR_FILES, pt_files

ODD = {
    "imgsz superscript two": "'imgsz' is '²'; it must be a number of px",
    "imgsz of 5000 digits": "'imgsz' is '9999",
    "classes nested": "metadata 'classes' is nested too deeply",
    "dtype F4": "tensor 'x' is of the type 'F4'",
    "metadata of numbers": "'imgsz' is 5; it must be text",
    "train_args that are a list": "must be an object with named values, not a list",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_in_a_header_is_said(name: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.safetensors"
    file.write_bytes(TENSOR_FILES[name])
    with pytest.raises(SpaceError, match=re.escape(ODD[name])):
        read_weights(file)


def test_what_is_odd_in_an_unpickled_network_is_said(tmp_path: Path) -> None:
    files, file = pt_files(), tmp_path / "odd.pt"
    for name, fault in {
        "no YAML": "do not say how their network is built: its YAML is None",
        "names by texts": "the classes are not numbered from 0 to 0",
        "names of lists": "a class name is no text",
        "a model that is a text": "a DetectionModel is needed",
    }.items():
        file.write_bytes(files[name])
        with pytest.raises(SpaceError, match=fault):
            read_weights(file)
