"""A user's weights: the files that are read, and that no code in them runs."""

from __future__ import annotations

import copy
import json
import os
import resource
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.allocation.uniform import uniform
from spaces.base import SpaceError
from spaces.networks.checkpoint import load, save
from spaces.networks.parent import Parent
from spaces.networks.weights import read_weights
from spaces.structure.stock import resolve
from tests.spaces.silencing import states_differ

# isort: split
from ultralytics.nn.tasks import DetectionModel

ARGUMENTS = {"imgsz": 320, "mosaic": 0.0, "epochs": 3}


def write_pt(parent: Parent, path: Path, **content: object) -> Path:
    """A file as Ultralytics' trainer leaves it: the model whole, in half precision."""
    model = copy.deepcopy(parent.network).half()
    torch.save({"model": None, "ema": model, "train_args": ARGUMENTS, "epoch": -1, "version": "8.4", **content}, path)
    return path


def test_a_pt_brings_model_classes_arguments_and_weights(parent: Parent, tmp_path: Path) -> None:
    read = read_weights(write_pt(parent, tmp_path / "best.pt"))
    assert read.classes == ("cat", "dog", "bird")
    assert (read.imgsz, read.train_args) == (320, ARGUMENTS)
    halved = {n: t.half().float() if t.is_floating_point() else t for n, t in parent.network.state_dict().items()}
    assert states_differ(read.state, halved) == []


def test_weights_of_the_same_classes_are_the_parent_as_it_is(parent: Parent, tmp_path: Path) -> None:
    path = write_pt(parent, tmp_path / "best.pt")
    loaded = Parent.load(classes=("cat", "dog", "bird"), weights=path)
    assert loaded.weights_match
    assert loaded.inherited == 1
    assert loaded.key == parent.key
    assert states_differ(loaded.network.state_dict(), dict(read_weights(path).state)) == []


@pytest.mark.slow
def test_a_detector_fine_tuned_from_coco_keeps_the_class_towers_of_coco(tmp_path: Path) -> None:
    coco = Parent.load("yolov8n.yaml", classes=80).network
    tuned = DetectionModel(dict(Parent.load("yolov8n.yaml", classes=3).model), verbose=False)
    tuned.load(coco, verbose=False)  # what Ultralytics' trainer does with pretrained weights
    tuned.names = {0: "cat", 1: "dog", 2: "bird"}
    path = tmp_path / "best.pt"
    torch.save({"model": None, "ema": tuned.half(), "train_args": ARGUMENTS}, path)
    loaded = Parent.load(classes=("cat", "dog", "bird"), weights=path)
    assert loaded.weights_match
    assert detect_of(loaded).cv3[0][0].conv.out_channels == 80
    assert states_differ(loaded.network.state_dict(), dict(read_weights(path).state)) == []
    cut = loaded.build(uniform(loaded, 0.5))
    digest = save(cut, tmp_path / "cut")
    assert digest and load(tmp_path / "cut").spec == cut.spec
    only_a_start = Parent.load(classes=5, weights=path)
    assert detect_of(only_a_start).cv3[0][0].conv.out_channels == 64


def detect_of(parent: Parent) -> Any:
    """The Detect layer; torch's types do not know its attributes."""
    layers: Any = parent.network.model
    return layers[-1]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["yolov8n", "yolo11n", "yolov10n"])
def test_class_towers_of_another_width_are_as_ultralytics_makes_them(model: str) -> None:
    width = detect_of(Parent.load(model, classes=80)).cv3[0][-1].in_channels
    wide = Parent.load({**Parent.load(model, classes=3).model, "class_width": width}, classes=3)
    tuned = DetectionModel(dict(Parent.load(model, classes=3).model), verbose=False)
    tuned.load(Parent.load(model, classes=80).network, verbose=False)
    assert str(detect_of(wide)) == str(tuned.model[-1])


def test_weights_of_other_classes_are_a_start(parent: Parent, tmp_path: Path) -> None:
    path = write_pt(parent, tmp_path / "best.pt")
    loaded = Parent.load(classes=5, weights=path)
    assert not loaded.weights_match
    assert 0.9 < loaded.inherited < 1  # all but the towers' last convolutions
    ours, theirs = loaded.network.state_dict(), read_weights(path).state
    assert torch.equal(ours["model.5.conv.weight"], theirs["model.5.conv.weight"])
    assert ours["model.22.cv3.0.2.weight"].shape[0] == 5


def test_as_many_classes_of_other_names_are_only_a_start(parent: Parent, tmp_path: Path) -> None:
    path = write_pt(parent, tmp_path / "best.pt")
    loaded = Parent.load(classes=("Vogel", "Katze", "dog"), weights=path)
    assert not loaded.weights_match
    assert loaded.inherited == 1
    assert loaded.note == (
        f"weights '{path}' have as many classes as the data, by other names (cat for Vogel, dog for Katze, bird for "
        "dog), so they are trained over; if they are the same classes in the same order, -o parent.as_is=true takes "
        "them as they are"
    )
    taken = Parent.load(classes=("Vogel", "Katze", "dog"), weights=path, as_is=True)
    assert taken.weights_match
    assert "taken as they are, as you said" in taken.note
    with pytest.raises(SpaceError, match="as_is is true, but the weights have 3 classes and the data 5"):
        Parent.load(classes=5, weights=path, as_is=True)


class _Exploit:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def test_a_pt_that_would_run_a_command_is_refused_by_name_and_runs_nothing(parent: Parent, tmp_path: Path) -> None:
    path = write_pt(parent, tmp_path / "evil.pt", optimizer=_Exploit(tmp_path / "ran"))
    with pytest.raises(SpaceError, match=r"evil.pt' are refused: .*posix.system"):
        read_weights(path)
    assert not (tmp_path / "ran").exists()


def test_a_pt_that_names_a_foreign_class_is_refused(parent: Parent, tmp_path: Path) -> None:
    path = write_pt(parent, tmp_path / "odd.pt", extra=parent.full_spec())
    with pytest.raises(SpaceError, match=r"refused: .*spaces.base.ArchSpec"):
        read_weights(path)


def test_a_pt_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"model": torch.nn.Conv2d(3, 8, 1)}, tmp_path / "conv.pt")
    with pytest.raises(SpaceError, match="hold a Conv2d; a DetectionModel is needed"):
        read_weights(tmp_path / "conv.pt")


def test_a_pt_whose_network_was_cut_is_refused_by_tensor(parent: Parent, tmp_path: Path) -> None:
    cut = parent.build(uniform(parent, 0.5)).network
    torch.save({"model": cut, "train_args": {}}, tmp_path / "cut.pt")
    with pytest.raises(SpaceError, match=r"tensor 'model.0.bn.bias' is \(8,\) there and \(16,\) in the model"):
        Parent.load(classes=("cat", "dog", "bird"), weights=tmp_path / "cut.pt")


def test_a_pt_whose_network_was_cut_is_not_even_a_start_for_other_classes(parent: Parent, tmp_path: Path) -> None:
    cut = parent.build(uniform(parent, 0.5)).network
    torch.save({"model": cut, "train_args": {}}, tmp_path / "cut.pt")
    with pytest.raises(SpaceError, match=r"tensor 'model.0.bn.bias' is \(8,\) there and \(16,\) in the model"):
        Parent.load(classes=5, weights=tmp_path / "cut.pt")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"<html>404</html>", b"text\n"])
def test_a_broken_pt_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(content)
    with pytest.raises(SpaceError, match=r"broken.pt' are refused") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_a_pt_whose_bytes_changed_is_refused_by_entry(parent: Parent, tmp_path: Path) -> None:
    path = write_pt(parent, tmp_path / "best.pt")
    content = bytearray(path.read_bytes())
    weight = parent.network.state_dict()["model.4.m.0.cv1.conv.weight"].half().numpy().tobytes()
    content[content.index(weight) + 40] ^= 1  # one bit of one weight
    path.write_bytes(content)
    with pytest.raises(SpaceError, match=r"best.pt' are refused: 'best/data/\d+' in it differs from its checksum"):
        read_weights(path)


@pytest.mark.parametrize("copies", [1, 300])
def test_a_pt_that_would_inflate_is_refused_before_it_does(tmp_path: Path, copies: int) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(20_000_000))
        archive.writestr("bomb/data/0", os.urandom(1000))
    if copies > 1:  # entries that share their bytes: the sum is a lie, but each would be inflated
        with zipfile.ZipFile(path, "a") as archive:
            archive.filelist.extend([archive.filelist[0]] * copies)
            archive._didModify = True  # type: ignore[attr-defined]  # so that the list is written
    before = memory_mib()
    with pytest.raises(SpaceError, match=r"bomb.pt' are refused: 0.0 MiB would inflate to \d+ MiB in \d+ entries"):
        read_weights(path)
    assert memory_mib() - before < 10


def memory_mib() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_a_view_that_claims_more_elements_than_the_file_holds_is_refused(parent: Parent, tmp_path: Path) -> None:
    model: Any = copy.deepcopy(parent.network)
    model.model[0].conv.weight.data = torch.zeros(1, 1, 1, 1).expand(16, 3, 10**5, 10**5)
    torch.save({"model": model}, tmp_path / "view.pt")
    assert (tmp_path / "view.pt").stat().st_size < 20_000_000
    with pytest.raises(SpaceError, match=r"their tensors claim 480,00\d,\d{3},\d{3} elements"):
        read_weights(tmp_path / "view.pt")


def test_the_numbers_of_classes_and_pixels_have_a_bound() -> None:
    with pytest.raises(SpaceError, match="imgsz is 1000000000; it must be a whole number of px, 32 to 8192"):
        Parent.load("yolov8n.yaml", classes=2, imgsz=10**9)
    for classes in (10**9, ["x"] * 20_001):
        with pytest.raises(SpaceError, match="at most 20000 are possible"):
            Parent.load("yolov8n.yaml", classes=classes)
    with pytest.raises(SpaceError, match="is asked for 1000000000 classes; give 1 to 20000"):
        resolve("yolov8n.yaml", 10**9)


def test_a_safetensors_file_names_its_model(parent: Parent, tmp_path: Path) -> None:
    path = tmp_path / "named.safetensors"
    names = json.dumps({"0": "cat", "1": "dog", "2": "bird"})
    save_file(parent.network.state_dict(), path, metadata={"name": "yolov8n", "classes": names, "imgsz": "320"})
    read = read_weights(path)
    assert (read.model, read.classes, read.imgsz) == ("yolov8n", ("cat", "dog", "bird"), 320)
    assert Parent.load(classes=("cat", "dog", "bird"), weights=path).weights_match


@pytest.mark.parametrize("metadata", [None, {"name": "my best one"}])
def test_a_safetensors_file_that_names_no_model_needs_one_given(
    parent: Parent, tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "bare.safetensors"
    save_file(parent.network.state_dict(), path, metadata=metadata)
    with pytest.raises(SpaceError, match=r"give parent.model"):
        Parent.load(classes=3, weights=path)
    loaded = Parent.load("yolov8n.yaml", classes=3, weights=path)
    assert (loaded.weights_match, loaded.inherited) == (False, 1.0)  # its classes are unknown


def test_weights_of_another_architecture_are_refused_by_tensor(parent: Parent, tmp_path: Path) -> None:
    path = tmp_path / "wrong.safetensors"
    names = json.dumps(["cat", "dog", "bird"])
    save_file(parent.network.state_dict(), path, metadata={"model": "yolov8s.yaml", "names": names})
    with pytest.raises(SpaceError, match=r"are not those of yolov8s.yaml: tensor 'model.0.bn.bias'"):
        Parent.load(classes=("cat", "dog", "bird"), weights=path)


def test_a_checkpoint_of_ours_is_weights_too(parent: Parent, tmp_path: Path) -> None:
    save(parent.candidate(), tmp_path / "whole")
    loaded = Parent.load(classes=("cat", "dog", "bird"), weights=tmp_path / "whole")
    assert loaded.weights_match
    assert loaded.key == parent.key
    save(parent.build(uniform(parent, 0.5)), tmp_path / "cut")
    with pytest.raises(SpaceError, match="a parent must be whole"):
        Parent.load(classes=3, weights=tmp_path / "cut")


@pytest.mark.parametrize(("name", "message"), [("none.pt", "no weights at"), ("net.onnx", "are of the kind '.onnx'")])
def test_other_files_are_refused_by_name(tmp_path: Path, name: str, message: str) -> None:
    if name != "none.pt":
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SpaceError, match=message):
        read_weights(tmp_path / name)


def test_weights_with_a_nan_are_refused(parent: Parent, tmp_path: Path) -> None:
    state = parent.candidate().network.state_dict()
    state["model.0.conv.weight"][0] = float("nan")
    save_file(state, tmp_path / "nan.safetensors", metadata={"model": "yolov8n.yaml"})
    with pytest.raises(SpaceError, match="not finite"):
        Parent.load(classes=3, weights=tmp_path / "nan.safetensors")


def test_weights_are_read_into_a_stock_network(parent: Parent, tmp_path: Path) -> None:
    loaded = Parent.load(classes=("cat", "dog", "bird"), weights=write_pt(parent, tmp_path / "best.pt"))
    assert type(loaded.network) is DetectionModel
