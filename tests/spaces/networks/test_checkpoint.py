"""Networks on disk: they are loaded as they were saved, and damaged ones are refused."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.base import Candidate, CandidateError
from spaces.durable import PARTIAL
from spaces.networks.checkpoint import (
    ARCHITECTURE,
    WEIGHTS,
    CheckpointError,
    CheckpointStore,
    facts_of,
    hash_of,
    load,
    save,
)
from spaces.networks.graft import Donor, graft
from spaces.networks.parent import Parent
from spaces.structure.structure import raw_outputs
from tests.spaces.silencing import random_spec, states_differ

# isort: split
from ultralytics.nn.tasks import DetectionModel

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def candidate(parent: Parent, donors: dict[str, Donor]) -> Candidate:
    return graft(parent=parent, backbone=donors["one-shot"], head=donors["round-2"])


@pytest.fixture
def folder(candidate: Candidate, tmp_path: Path) -> Path:
    save(candidate, tmp_path / "saved", recipe={"epochs": 3})
    return tmp_path / "saved"


def test_a_loaded_network_equals_the_saved_one_bit_for_bit(candidate: Candidate, folder: Path) -> None:
    loaded = load(folder)
    assert (loaded.spec, loaded.origin) == (candidate.spec, candidate.origin)
    assert (loaded.classes, loaded.imgsz) == (candidate.classes, candidate.imgsz)
    assert states_differ(loaded.network.state_dict(), candidate.network.state_dict()) == []
    assert all(t.dtype in (torch.float32, torch.int64) for t in loaded.network.state_dict().values())
    network: Any = loaded.network
    assert network.names == candidate.network.names
    assert network.args.imgsz == 64


def test_a_network_is_rounded_to_half_precision_once_and_then_stays_as_it_is(
    candidate: Candidate, tmp_path: Path
) -> None:
    save(candidate, tmp_path / "half", half=True)
    shipped = load(tmp_path / "half")
    state = candidate.network.state_dict()
    halved = {name: t.half().float() if t.is_floating_point() else t for name, t in state.items()}
    assert states_differ(shipped.network.state_dict(), halved) == []
    save(shipped, tmp_path / "again")  # half precision loses nothing any more, so it is written
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (tmp_path / "half" / WEIGHTS).read_bytes()


def test_facts_by_number_are_read_back_by_text(candidate: Candidate, tmp_path: Path) -> None:
    save(candidate, tmp_path / "it", ap={2: 0.5, 10: 0.25})
    assert load(tmp_path / "it").spec == candidate.spec
    assert facts_of(tmp_path / "it") == {"ap": {"2": 0.5, "10": 0.25}}


def test_a_fused_network_is_refused(candidate: Candidate, tmp_path: Path) -> None:
    network: Any = copy.deepcopy(candidate.network)
    with pytest.raises(CandidateError, match="is not what its spec says"):
        save(replace(candidate, network=network.fuse(verbose=False)), tmp_path / "fused")


def test_saving_a_loaded_network_changes_no_byte(folder: Path, tmp_path: Path) -> None:
    save(load(folder), tmp_path / "again", recipe={"epochs": 3})
    for name in (WEIGHTS, ARCHITECTURE):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.slow
def test_a_new_process_gets_the_same_outputs(candidate: Candidate, folder: Path, tmp_path: Path) -> None:
    images = torch.rand(1, 3, 64, 64)
    torch.save(images, tmp_path / "images.pt")
    script = (
        "import sys, torch; from spaces.networks.checkpoint import load;"
        "from spaces.structure.structure import raw_outputs;"
        "torch.set_num_threads(1);"
        "torch.save(raw_outputs(load(sys.argv[1]).network, torch.load(sys.argv[2])), sys.argv[3])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [str(folder), str(tmp_path / "images.pt"), str(tmp_path / "outputs.pt")]
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, env=environment, timeout=120)
    theirs = torch.load(tmp_path / "outputs.pt")
    with torch.no_grad():
        ours = raw_outputs(load(folder).network, images)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_loaded_network_holds_no_class_that_a_stock_installation_lacks(folder: Path) -> None:
    network = load(folder).network
    assert type(network) is DetectionModel
    assert {type(module).__module__.split(".")[0] for module in network.modules()} == {"torch", "ultralytics"}


def test_a_checkpoint_holds_no_pickle(folder: Path) -> None:
    assert sorted(file.name for file in folder.iterdir()) == [ARCHITECTURE, WEIGHTS]
    assert json.loads((folder / ARCHITECTURE).read_text())["facts"] == {"recipe": {"epochs": 3}}


def test_values_that_half_precision_cannot_hold_stay_in_single_precision(parent: Parent, tmp_path: Path) -> None:
    candidate = parent.candidate()
    state = candidate.network.state_dict()
    state["model.1.bn.weight"][3] = 1e6  # above 65504
    state["model.2.cv1.bn.running_var"][0] = 1e-12  # would become 0, and the channel explode
    save(candidate, tmp_path / "wide")
    loaded = load(tmp_path / "wide").network.state_dict()
    for name in ("model.1.bn.weight", "model.2.cv1.bn.running_var"):
        assert torch.equal(loaded[name], state[name])


def test_a_network_with_a_nan_is_the_candidates_fault(parent: Parent, tmp_path: Path) -> None:
    candidate = parent.candidate()
    candidate.network.state_dict()["model.5.conv.weight"][0, 0, 0, 0] = float("nan")
    with pytest.raises(CandidateError, match=r"'model.5.conv.weight' holds values that are not finite"):
        save(candidate, tmp_path / "nan")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [0, 100, 0.5, -1])
@pytest.mark.parametrize("name", [WEIGHTS, ARCHITECTURE])
def test_one_changed_byte_is_noticed(folder: Path, name: str, place: float) -> None:
    content = bytearray((folder / name).read_bytes())
    position = int(place * len(content)) if isinstance(place, float) else int(place)
    content[position] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="is damaged"):
        load(folder)


@pytest.mark.parametrize("name", [WEIGHTS, ARCHITECTURE])
def test_a_file_cut_short_is_noticed(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="is damaged"):
        load(folder)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match=f"no checkpoint {'0' * 32} in"):
        CheckpointStore(tmp_path).get("0" * 32)


def test_a_missing_file_of_a_checkpoint_is_named(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=f"{WEIGHTS} is missing"):
        load(folder)


def _fewer_classes(candidate: Candidate) -> Candidate:
    return replace(candidate, classes=candidate.classes[:2])


def _spec_of_another_parent(candidate: Candidate) -> Candidate:
    return replace(candidate, spec=replace(candidate.spec, parent="0" * 32))


def _spec_of_other_widths(candidate: Candidate) -> Candidate:
    kept = (candidate.spec.kept[0][:-1], *candidate.spec.kept[1:])
    return replace(candidate, spec=replace(candidate.spec, kept=kept))


def _describe(folder: Path, candidate: Candidate) -> None:
    """Write a description of another candidate into a checkpoint, with a correct hash, as another program might."""
    spec = candidate.spec
    groups = zip(spec.groups, spec.widths, spec.kept, strict=True)
    description = json.loads((folder / ARCHITECTURE).read_text())
    description["classes"] = list(candidate.classes)
    description["spec"]["parent"] = spec.parent
    description["spec"]["groups"] = {name: {"width": width, "kept": list(kept)} for name, width, kept in groups}
    del description["hash"]
    description["hash"] = hashlib.sha256(_text(description)).hexdigest()[:32]
    (folder / ARCHITECTURE).write_bytes(_text(description))
    assert hash_of(folder) == description["hash"]


def _text(description: Any) -> bytes:
    return (json.dumps(description, indent=1, sort_keys=True) + "\n").encode()


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (_fewer_classes, "it names 2 classes and its model has 3"),
        (_spec_of_another_parent, "its spec is of parent 0000"),
        (_spec_of_other_widths, r"tensor 'model.0.conv.weight' is \(16, 3, 3, 3\); by its spec it is \(15, 3, 3, 3\)"),
    ],
)
def test_parts_that_do_not_fit_together_are_named(
    candidate: Candidate,
    tmp_path: Path,
    forge: Callable[[Candidate], Candidate],
    message: str,
) -> None:
    with pytest.raises(CandidateError, match="is not what its spec says"):
        save(forge(candidate), tmp_path / "refused")
    save(candidate, tmp_path / "forged")
    _describe(tmp_path / "forged", forge(candidate))
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path / "forged")


def test_a_store_addresses_by_content(candidate: Candidate, parent: Parent, tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    first = store.put(candidate, {"name": "graft"})
    assert store.put(candidate, {"name": "graft"}) == first
    other = store.put(parent.build(random_spec(parent, 0.5, seed=1)), {"name": "graft"})
    assert other != first
    assert first in store
    assert "0" * 32 not in store
    assert store.facts(first) == {"name": "graft"}
    assert store.get(first).spec == candidate.spec
    assert {path.name for path in store.root.iterdir()} == {first, other}


def test_a_checkpoint_under_another_name_is_refused(candidate: Candidate, tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    digest = store.put(candidate)
    store.folder(digest).rename(store.folder("f" * 32))
    with pytest.raises(CheckpointError, match="other content than its name"):
        store.get("f" * 32)


def test_an_existing_folder_is_never_overwritten(parent: Parent, folder: Path) -> None:
    before = (folder / WEIGHTS).read_bytes()
    with pytest.raises(CheckpointError, match="is taken: it is a folder with architecture"):
        save(parent.candidate(), folder)
    assert (folder / WEIGHTS).read_bytes() == before


def test_files_of_a_killed_writer_are_deleted_and_those_of_others_are_not(candidate: Candidate, tmp_path: Path) -> None:
    old, new = tmp_path / f".old{PARTIAL}", tmp_path / f".new{PARTIAL}"
    for left in (old, new):
        left.mkdir()
        (left / WEIGHTS).write_bytes(b"half")
    foreign = tmp_path / ".backup.partial"
    foreign.mkdir()
    for stale in (old, foreign):
        os.utime(stale, (0, 0))
    CheckpointStore(tmp_path).put(candidate)
    assert (old.exists(), new.exists(), foreign.exists()) == (False, True, True)


def test_a_write_that_fails_leaves_nothing(
    candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        CheckpointStore(tmp_path / "store").put(candidate)
    assert list((tmp_path / "store").iterdir()) == []
