"""Export to ONNX: the same outputs, nothing else written, nothing changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from objectives.export.onnx_file import add_metadata, export_onnx, read_metadata
from objectives.runtimes.ort import open_session
from spaces.allocation.uniform import uniform
from spaces.base import Candidate, CandidateError
from spaces.networks.deployed import deployed
from tests.objectives.networks import CLASSES, candidate, half_width_parent, state_of, unchanged
from tests.spaces.trained_look import pictures


def outputs(path: Path, images: torch.Tensor) -> np.ndarray:
    first: np.ndarray = open_session(path).run(None, {"images": images.numpy()})[0]
    return first


def test_onnx_gives_the_outputs_of_torch(tmp_path: Path) -> None:
    network = candidate()  # the other families: test_onnx_families.py
    path = export_onnx(network, tmp_path / "model.onnx")
    images = pictures(1, 96, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = deployed(network)(images)[0].numpy()
    # px and scores. float32 sums in another order give up to 0.004 px, another image gives 10 px and more
    np.testing.assert_allclose(outputs(path, images), expected, atol=0.02, rtol=1e-4)
    assert np.abs(outputs(path, 1 - images) - expected).max() > 1


def test_nothing_but_the_given_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    export_onnx(candidate(), tmp_path / "net.onnx")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["here", "net.onnx"]


def test_export_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export_onnx(candidate(), tmp_path / "net.onnx")
    assert capfd.readouterr() == ("", "")


def test_the_candidate_is_not_changed(tmp_path: Path) -> None:
    model = candidate()
    before = state_of(model.network)
    export_onnx(model, tmp_path / "net.onnx")
    assert unchanged(model.network, before)


def test_batch_and_image_size_are_those_asked_for(tmp_path: Path) -> None:
    path = export_onnx(candidate(), tmp_path / "net.onnx", imgsz=64, batch=2)
    assert outputs(path, torch.zeros(2, 3, 64, 64)).shape == (2, 4 + len(CLASSES), 8 * 8 + 4 * 4 + 2 * 2)


def test_half_precision_keeps_float_inputs_and_halves_the_file(tmp_path: Path) -> None:
    half = export_onnx(candidate(), tmp_path / "half.onnx", precision="fp16")
    full = export_onnx(candidate(), tmp_path / "full.onnx")
    assert half.stat().st_size < 0.6 * full.stat().st_size
    images = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    difference = np.abs(outputs(half, images) - outputs(full, images))
    # 11 bits of precision through 60 layers of random weights: single boxes and scores move, by how much depends on
    # the processor's kernels; the typical one hardly moves
    assert np.median(difference[:, :4]) < 0.25
    assert np.quantile(difference[:, 4:], 0.99) < 0.05


def test_the_graph_does_not_name_files_of_this_machine(tmp_path: Path) -> None:
    model = candidate(width=0.125)
    model.network.args = {"data": "/secret/place/data.yaml"}  # type: ignore[assignment]
    try:
        path = export_onnx(model, tmp_path / "net.onnx")
    finally:
        del model.network.args
    assert b"/secret" not in path.read_bytes()
    assert str(tmp_path).encode() not in path.read_bytes()


def test_metadata_holds_the_class_names_and_takes_further_facts(tmp_path: Path) -> None:
    path = export_onnx(candidate(), tmp_path / "net.onnx")
    add_metadata(path, {"map50_95": "0.8", "license": "ours", "description": "7 % are left"})
    add_metadata(path, {"map50_95": "0.9"})
    facts = read_metadata(path)
    assert facts["map50_95"] == "0.9"
    assert facts["license"].startswith("AGPL"), "what Ultralytics' validator may read stays"
    assert facts["description"] == "7 % are left", "it is no stock model any more"
    assert eval(facts["names"]) == dict(enumerate(CLASSES))  # as Ultralytics writes and reads it


def test_a_network_that_does_not_export_is_the_candidates_fault(tmp_path: Path) -> None:
    class Torn(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("size mismatch\nat line 3")

    whole = candidate(width=0.125)
    broken = Candidate(**{**vars(whole), "network": deployed(whole)})
    broken.network.model[0].conv = Torn()  # type: ignore[index, union-attr]
    with pytest.raises(CandidateError, match=r"does not export to onnx: size mismatch$"):
        export_onnx(broken, tmp_path / "net.onnx")


def test_a_folder_that_is_not_there_is_not_the_candidates_fault(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        export_onnx(candidate(), tmp_path / "missing" / "net.onnx")


def test_a_network_of_less_than_a_tenth_of_a_megabyte_exports(tmp_path: Path) -> None:
    """Ultralytics takes such files as corrupt; a network can be cut to less."""
    parent = half_width_parent(CLASSES, imgsz=64)
    cut = parent.build(uniform(parent, 0.05, 1))
    path = export_onnx(cut, tmp_path / "small.onnx")
    assert 0 < path.stat().st_size < 100_000
    assert np.isfinite(outputs(path, torch.zeros(1, 3, 64, 64))).all()
