"""The detector that `make run` begins with: shipped as a user would bring one, trained to its end, small."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from objectives.data.dataset import open_dataset
from objectives.data.digit_scenes import write_digits
from objectives.training.accuracy import evaluate
from scripts.digits_detector import MODEL, WEIGHTS, write_weights
from spaces.networks.parent import Parent
from tests.tree import ROOT


def test_it_is_small_and_what_make_run_takes() -> None:
    assert WEIGHTS.stat().st_size < 2_000_000
    assert f"examples/{WEIGHTS.name}" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_its_file_alone_tells_structure_classes_and_image_size(tmp_path: Path) -> None:
    """Weights that are written are read equal, but for their rounding to half precision."""
    fresh = Parent.load(str(MODEL), imgsz=96, seed=3).candidate()
    write_weights(fresh, tmp_path / "fresh.safetensors")
    read = Parent.load(weights=tmp_path / "fresh.safetensors").candidate()
    assert (read.classes, read.imgsz) == (fresh.classes, 96)
    before, after = fresh.network.state_dict(), read.network.state_dict()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor.half(), after[name].half()), name


@pytest.mark.slow
def test_it_is_trained_to_its_end(tmp_path: Path) -> None:
    data = open_dataset(str(write_digits(tmp_path / "scenes")), tmp_path / "cache")
    parent = Parent.load(classes=data.classes, weights=WEIGHTS)
    assert parent.weights_match, "so that a study does not train it again"
    found = {split: evaluate(parent.candidate(), data, split).map50_95 for split in ("val", "test")}
    assert min(found.values()) > 0.97, found
