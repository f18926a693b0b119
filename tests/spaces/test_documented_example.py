"""Use from Python: the example in docs/python.md, word for word, and grafts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.base import SpaceError
from spaces.networks.checkpoint import load, save
from spaces.networks.graft import graft, join
from spaces.networks.parent import Parent
from tests.spaces.silencing import states_differ
from tests.tree import ROOT

EXAMPLE = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that the page's example leaves behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        (code,) = [each for each in EXAMPLE if each.startswith("import spaces")]
        names: dict[str, Any] = {}
        exec(code, names)
        names["folder"] = Path("joined").absolute()
    return names


def test_the_example_gives_a_graft_of_the_named_donors(done: dict[str, Any]) -> None:
    spec = done["joined"].spec
    assert len(spec.kept_in("model.1")) == 24
    assert spec.kept_in("model.3") == tuple(range(0, 64, 2))
    assert len(spec.kept_in("model.17")) == 48
    assert spec.kept_in("model.5") == tuple(range(128))  # of the backbone's donor, not of the head's
    assert spec.dropped == ("model.13.m.0",)


def test_the_example_leaves_a_checkpoint_of_json_and_safetensors(done: dict[str, Any]) -> None:
    assert {file.name for file in done["folder"].iterdir()} == {"architecture.json", "weights.safetensors"}
    assert states_differ(done["again"].network.state_dict(), done["joined"].network.state_dict()) == []


def test_members_are_module_side_and_channel_positions(done: dict[str, Any]) -> None:
    for group in done["parent"].groups:
        for module, side, positions in group.members:
            layer = done["parent"].network.get_submodule(module)
            width = len(layer.weight) if side == "out" else layer.weight.shape[1]
            assert len(positions) == group.width
            assert max(positions) < width


def test_a_graft_of_the_parent_with_itself_is_the_parent() -> None:
    parent = Parent.load("yolov5n.yaml", classes=3, imgsz=64)
    for whole in (parent, parent.candidate()):
        joined = graft(backbone=whole, head=whole)
        assert joined.spec == parent.full_spec()
        assert states_differ(joined.network.state_dict(), parent.network.state_dict()) == []


def test_donors_of_different_parents_are_joined_only_if_the_parent_for_the_seam_is_given() -> None:
    one, other = (Parent.load("yolov5n.yaml", classes=3, imgsz=64, seed=seed) for seed in (0, 7))
    for head in (other, other.candidate()):
        with pytest.raises(SpaceError, match="cut from different parents"):
            graft(backbone=one, head=head)
    state = graft(backbone=one, head=other, parent=one).network.state_dict()
    for name, tensor in state.items():
        theirs = one if one.layer_sections[int(name.split(".")[1])] == "backbone" else other
        assert torch.equal(tensor, theirs.network.state_dict()[name]), name


def test_donors_with_other_class_names_are_refused() -> None:
    cats, dogs = (Parent.load("yolov5n.yaml", classes=names, imgsz=64) for names in (("cat", "dog"), ("dog", "cat")))
    with pytest.raises(SpaceError, match="a donor's classes are"):
        graft(backbone=cats.candidate(), head=dogs.candidate(), parent=cats)


@pytest.mark.parametrize("call", ["no donors", "a folder", "an unknown seam"])
def test_calls_that_describe_no_graft_are_refused(call: str) -> None:
    parent = Parent.load("yolov5n.yaml", classes=3, imgsz=64)
    given: dict[str, Any] = {"backbone": parent, "head": parent}
    wrong: dict[str, Any] = {
        "a folder": {**given, "head": "folder"},
        "an unknown seam": {**given, "seam": "zero"},
    }
    with pytest.raises(SpaceError):
        join({}) if call == "no donors" else graft(**wrong[call])


def test_a_graft_of_loaded_donors_has_zeros_at_the_seam_or_the_parents_weights_where_it_is_given(
    done: dict[str, Any],
) -> None:
    save(done["thin"], done["folder"].with_name("wide"))
    save(done["parent"].build(done["parent"].spec({"model.4.cv2": 64})), done["folder"].with_name("narrow"))
    wide, narrow = load(done["folder"].with_name("wide")), load(done["folder"].with_name("narrow"))
    bare = graft(backbone=wide, head=narrow)
    unseen = sorted(set(range(128)) - set(narrow.spec.kept_in("model.4.cv2")))
    # model.16.cv1 of YOLO11 reads model.13 (neck) and then model.4 (backbone).
    name, offset = "model.16.cv1.conv.weight", len(bare.spec.kept_in("model.13.cv2"))
    columns = [offset + channel for channel in unseen]
    assert torch.equal(bare.network.state_dict()[name][:, columns], torch.zeros(64, 64, 1, 1))
    known = graft(backbone=wide, head=narrow, parent=done["parent"])
    assert torch.equal(
        known.network.state_dict()[name][:, columns], done["parent"].network.state_dict()[name][:, columns]
    )
    with pytest.raises(SpaceError, match="do not hold their parent"):
        graft(backbone=wide, head=narrow, seam="parent")
