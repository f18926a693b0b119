"""Weights as people have them: the parent computes what the network in the file computes, or the file is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import SpaceError
from spaces.networks.checkpoint import load, save
from spaces.networks.parent import Parent
from tests.spaces.networks.weight_forms import CLASSES, WEIGHT_FORMS, WeightForm, net, script, trainer, with_activation

# isort: split
from ultralytics.nn.tasks import DetectionModel


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let any look at the network fail."""

    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    yield


def outputs(network: Any, classes: list[int]) -> torch.Tensor:
    """Return the decoded output of a network for one picture, its scores in this order of classes."""
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = network.float().eval()(picture)[0]
    return torch.cat((found[:, :4], found[:, [4 + number for number in classes]]), 1)


def network_in(content: Any) -> Any:
    """Return the network that a user of the file would run."""
    if isinstance(content, DetectionModel):
        return content
    held = (content.get("ema"), content.get("model")) if isinstance(content, Mapping) else ()
    return next((each for each in held if isinstance(each, DetectionModel)), None) or net()


@pytest.mark.parametrize("form", WEIGHT_FORMS, ids=[form.name for form in WEIGHT_FORMS])
def test_a_form_is_the_network_in_the_file_or_refused(form: WeightForm, tmp_path: Path) -> None:
    path, content = tmp_path / form.file, form.content()
    path.parent.mkdir(exist_ok=True)
    torch.save(content, path)
    if form.refused is not None:
        with pytest.raises(SpaceError) as raised:
            Parent.load(form.given, classes=CLASSES, weights=path)
        assert form.refused in str(raised.value)
        assert "\n" not in str(raised.value)
        return
    parent = Parent.load(form.given, classes=CLASSES, imgsz=64, weights=path)
    assert form.note in parent.note
    assert bool(parent.note) == bool(form.note)
    assert parent.inherited == 1
    assert parent.weights_match == ("name no classes" not in parent.note)
    theirs = form.network() if form.network else network_in(content)
    given = theirs.names.values() if isinstance(theirs.names, dict) else theirs.names
    names = [str(name).strip().lower() for name in given]
    order = [names.index(name) for name in CLASSES] if set(names) == set(CLASSES) else [0, 1, 2]
    torch.testing.assert_close(outputs(parent.network, [0, 1, 2]), outputs(theirs, order), rtol=1e-5, atol=1e-5)


def test_there_are_enough_forms() -> None:
    assert len({form.name for form in WEIGHT_FORMS}) == len(WEIGHT_FORMS) >= 30


def test_a_torchscript_archive_is_named(tmp_path: Path) -> None:
    script(tmp_path / "best.pt")
    with pytest.raises(SpaceError, match="this is a TorchScript archive, which runs but cannot be cut"):
        Parent.load(classes=CLASSES, weights=tmp_path / "best.pt")


def test_activations_go_with_every_network_that_is_cut_from_the_parent(tmp_path: Path) -> None:
    torch.save(trainer(net(change=with_activation(torch.nn.ReLU, only="model.0"))), tmp_path / "best.pt")
    parent = Parent.load(classes=CLASSES, imgsz=64, weights=tmp_path / "best.pt")
    assert parent.model["activations"] == {"model.0.act": "nn.ReLU()"}
    save(parent.build(parent.spec({parent.groups[0].name: 8})), tmp_path / "cut")
    layers: Any = load(tmp_path / "cut").network.model
    assert type(layers[0].act) is torch.nn.ReLU
    assert type(layers[1].act) is torch.nn.SiLU
    for text in ("os.system('x')", "nn.Linear(3)", "nn.PReLU()", "nn.LeakyReLU(x)"):
        with pytest.raises(SpaceError, match="the activation"):
            Parent.load({**parent.model, "activations": {"model.0.act": text}}, classes=3)
    with pytest.raises(SpaceError, match="which is no activation of this network"):
        Parent.load({**parent.model, "activations": {"model.0.conv": "nn.ReLU()"}}, classes=3)
