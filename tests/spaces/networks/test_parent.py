"""The parent: loading, keys, specs."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.allocation.uniform import uniform
from spaces.base import SpaceError
from spaces.networks.parent import Parent, check_size
from spaces.ranking.importance import order
from spaces.structure import stock
from spaces.structure.model_yaml import read_model_yaml
from tests.spaces.silencing import states_differ


def test_an_image_size_below_the_stride_of_a_model_is_refused() -> None:
    model = read_model_yaml("yolov8n-p6.yaml")
    small = {**model, "scales": {"n": [0.33, 0.0625, 256]}}
    with pytest.raises(SpaceError, match=r"imgsz is 96; yolov8n-p6.yaml needs a multiple of 64, such as 128"):
        Parent.load(small, classes=3, imgsz=96)
    check_size(Parent.load(small, classes=3, imgsz=128).network, 192)


def test_fresh_weights_are_equal_for_equal_seeds() -> None:
    first = Parent.load("yolov8n", classes=3, seed=4).network.state_dict()
    torch.rand(5)
    assert states_differ(first, Parent.load("yolov8n", classes=3, seed=4).network.state_dict()) == []
    assert states_differ(first, Parent.load("yolov8n", classes=3, seed=5).network.state_dict())


def test_the_key_is_of_the_structure_alone(parent: Parent) -> None:
    model = dict(parent.model)
    assert stock.key_of({**model, "yaml_file": "other.yaml"}) == parent.key
    assert stock.key_of(stock.resolve("yolov8n.yaml", 3)) == parent.key
    assert stock.key_of({**model, "nc": 4}) != parent.key
    assert stock.key_of({**model, "activation": "nn.ReLU()"}) != parent.key


def test_the_model_of_a_network_leads_back_to_the_same_parent(parent: Parent) -> None:
    network: Any = parent.build(uniform(parent, 0.5)).network
    again = Parent.load(dict(network.yaml), classes=parent.classes)
    assert again.key == parent.key


def test_no_path_of_this_machine_is_in_the_model(tmp_path: Path) -> None:
    copied = tmp_path / "yolov8n.yaml"
    copied.write_text(_yaml_text())
    parent = Parent.load(str(copied), classes=3)
    assert str(tmp_path) not in str(parent.model) + str(parent.network.yaml) + str(parent.network.args)
    assert parent.key == Parent.load("yolov8n.yaml", classes=3).key


def test_a_model_yaml_that_would_run_code_is_refused(tmp_path: Path) -> None:
    model = {**stock.resolve("yolov8n.yaml", 3), "activation": f"__import__('os').system('touch {tmp_path}/ran')"}
    with pytest.raises(SpaceError, match=r"cannot be built: .*blocked"):
        Parent.load(model, classes=3)
    assert not (tmp_path / "ran").exists()


def test_a_model_yaml_that_calls_a_function_for_a_layer_is_refused() -> None:
    model = stock.resolve("yolov8n.yaml", 3)
    model["backbone"][9] = [-1, 1, "torch_safe_load", ["x.pt"]]
    with pytest.raises(SpaceError, match="cannot be built"):
        Parent.load(model, classes=3)


@pytest.mark.parametrize("model", ["yolov8q.yaml", "nothing", "no/such.yaml"])
def test_an_unknown_model_is_named(model: str) -> None:
    with pytest.raises(SpaceError, match=f"no model '{model}'"):
        Parent.load(model, classes=3)


def test_without_any_model_the_message_says_what_to_give() -> None:
    with pytest.raises(SpaceError, match="no model is named"):
        Parent.load(classes=3)


def test_a_width_keeps_the_most_important_channels(parent: Parent) -> None:
    spec = parent.spec({"model.3": 10})
    assert spec.kept_in("model.3") == tuple(sorted(order(parent.candidate(), parent)["model.3"][:10]))
    assert spec.kept_in("model.5") == tuple(range(128))


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"model.99": 8}, "no channel group 'model.99'"),
        ({"model.3": 65}, "cannot keep 65 of its 64"),
        ({"model.3": 0}, "cannot keep 0 of its 64"),
        ({"model.3": [64]}, r"in \[0, 64\)"),
        ({"model.3": [1, 1]}, "unique"),
        ({"model.3": []}, "keeps no channel"),
    ],
)
def test_a_wrong_spec_is_named(parent: Parent, kept: dict[str, int | list[int]], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        parent.spec(kept)


def test_a_parent_takes_its_trained_weights_from_a_candidate(parent: Parent) -> None:
    trained = parent.candidate()
    with torch.no_grad():
        trained.network.state_dict()["model.0.conv.weight"].add_(1)
    renewed = parent.with_weights(trained)
    assert states_differ(renewed.network.state_dict(), trained.network.state_dict()) == []
    assert renewed.network is not trained.network
    assert states_differ(parent.network.state_dict(), trained.network.state_dict()) == ["model.0.conv.weight"]
    with pytest.raises(SpaceError, match="only an uncut network"):
        parent.with_weights(parent.build(uniform(parent, 0.5)))


def test_a_parent_can_be_sent_to_another_process(parent: Parent) -> None:
    sent = pickle.loads(pickle.dumps(parent))
    assert sent.key == parent.key
    assert sent.groups == parent.groups
    assert states_differ(sent.network.state_dict(), parent.network.state_dict()) == []


def test_the_candidate_of_a_parent_is_a_copy(parent: Parent) -> None:
    candidate = parent.candidate()
    candidate.network.state_dict()["model.0.conv.weight"].zero_()
    assert parent.network.state_dict()["model.0.conv.weight"].abs().sum() > 0
    assert replace(candidate, network=parent.network).spec == parent.full_spec()


def _yaml_text() -> str:
    import yaml

    model = stock.resolve("yolov8n.yaml", 3)
    return yaml.safe_dump({name: value for name, value in model.items() if name not in ("yaml_file", "scale")})


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (8.0, "8.0 is no whole number"),
        (True, "True is no whole number"),
        (None, "keeps None; give a width or channel numbers"),
        ("12", "keeps '12'; give a width or channel numbers"),
        ([1.5], "1.5 is no whole number"),
        ([[1]], r"\[1\] is no whole number"),
        ([float("nan")], "nan is no whole number"),
    ],
)
def test_values_that_are_no_channel_numbers_are_named(parent: Parent, kept: Any, words: str) -> None:
    with pytest.raises(SpaceError, match=f"group 'model.3'.*{words}"):
        parent.spec({"model.3": kept})


def test_numbers_of_numpy_are_channel_numbers(parent: Parent) -> None:
    width: Any = np.int64(8)
    numbers: Any = np.arange(8)
    assert parent.spec({"model.3": width}) == parent.spec({"model.3": 8})
    assert parent.spec({"model.3": numbers}) == parent.spec({"model.3": range(8)})
