"""Checkpoint of a network: its ArchSpec and model YAML as JSON, its tensors as safetensors. No pickle.

Loading rebuilds the parent's YAML with stock Ultralytics code, cuts it by the spec and loads the tensors, strict.
Every byte is covered by one hash, which is also the name by which a checkpoint is referred to.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as pack_tensors
from torch import Tensor

from spaces.base import ArchSpec, Candidate, CandidateError, Origin, SpaceError
from spaces.durable import write_folder
from spaces.foreign.plain_json import Fields, check_plain, parse_json
from spaces.networks.description import NetworkDescription
from spaces.path_facts import path_fact
from spaces.shown import shown, shown_reason
from spaces.structure import stock
from spaces.structure.repeats import Detector
from spaces.structure.slicing import Slicer, resized
from spaces.structure.structure import Structure

FORMAT = 2
READABLE = (1, 2)
"""Formats that can be read. Format 1 has no dropped bottlenecks."""
MOST_JSON_VALUES = 1_000_000
"""Maximum number of values in the JSON: the channels of the largest detectors, some hundred times over."""
WEIGHTS, ARCHITECTURE = "weights.safetensors", "architecture.json"


class CheckpointError(SpaceError):
    """Checkpoint that is missing, damaged, or not of the network that it states."""


def save(candidate: Candidate, folder: str | Path, *, half: bool = False, **facts: Any) -> str:
    """Write a candidate to a new or empty folder, whole or not at all. It is loaded equal bit for bit, unless `half`.

    Args:
        half: Round weights to half precision, as in published files: half the size. Otherwise only weights that lose
            nothing by it are stored in half precision.
        facts: Further JSON values to keep with it (recipe, figures).

    Returns:
        The content hash over tensors and JSON.

    Raises:
        CandidateError: If a weight is not finite.
        CheckpointError: If the folder exists and holds something else.
        OSError: If the folder cannot be written.
    """
    folder = Path(folder)
    digest, files = _packed(candidate, facts, half=half)
    if not write_folder(folder, files) and not (os.path.isfile(folder / ARCHITECTURE) and hash_of(folder) == digest):
        raise CheckpointError(f"'{folder}' is taken: {path_fact(folder)}; give a new or empty folder")
    return digest


def content_hash(candidate: Candidate) -> str:
    """Return the content hash of a candidate's checkpoint without further facts and with unrounded weights.

    Raises:
        CandidateError: If a weight is not finite.
    """
    return _packed(candidate, {}, half=False)[0]


def hash_of(folder: str | Path) -> str:
    """Return the content hash that a checkpoint states.

    Raises:
        CheckpointError: If it is missing or was changed.
    """
    return _fields(folder, _description(Path(folder))).text("hash")


def facts_of(folder: str | Path) -> Mapping[str, Any]:
    """Return the facts that were stored with a checkpoint.

    Raises:
        CheckpointError: If it is missing or damaged.
    """
    return _fields(folder, _verified(Path(folder))[0]).inner("facts").values


def load(folder: str | Path) -> Candidate:
    """Rebuild the network of a checkpoint, in float32.

    Raises:
        CheckpointError: If it is missing, a byte of it has changed, or its parts do not fit together.
    """
    return _rebuilt(Path(folder), *_verified(Path(folder)))


@dataclass(frozen=True)
class CheckpointStore:
    """Checkpoints under one folder, by content hash. Writing the same content twice is harmless."""

    root: Path

    def put(self, candidate: Candidate, facts: Mapping[str, Any] | None = None) -> str:
        """Write a candidate, durably, and return its content hash. Weights are rounded to half precision.

        Raises:
            CandidateError: If a weight is not finite.
        """
        digest, files = _packed(candidate, facts or {}, half=True)
        write_folder(self.folder(digest), files)
        return digest

    def get(self, digest: str) -> Candidate:
        """Rebuild the network with that content hash.

        Raises:
            CheckpointError: If there is none or it is damaged.
        """
        folder = self._verified_folder(digest)
        return load(folder)

    def facts(self, digest: str) -> Mapping[str, Any]:
        """Return the facts that were stored with that checkpoint.

        Raises:
            CheckpointError: If there is none or it is damaged.
        """
        return facts_of(self._verified_folder(digest))

    def folder(self, digest: str) -> Path:
        """Return the folder of the checkpoint with that hash, which need not exist."""
        return self.root / digest

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and os.path.isfile(self.folder(digest) / ARCHITECTURE)

    def _verified_folder(self, digest: str) -> Path:
        folder = self.folder(digest)
        if digest not in self:
            raise CheckpointError(f"no checkpoint {digest} in '{self.root}': {path_fact(self.root)}")
        if hash_of(folder) != digest:
            raise CheckpointError(f"checkpoint '{folder}' holds other content than its name says")
        return folder


def _packed(candidate: Candidate, facts: Mapping[str, Any], *, half: bool) -> tuple[str, dict[str, bytes]]:
    """Return the content hash and the bytes of both files."""
    tensors = {name: _stored(name, tensor, half) for name, tensor in candidate.network.state_dict().items()}
    _check_is_its_spec(candidate, tensors)
    weights = pack_tensors(tensors, metadata={"format": "pt"})
    spec = candidate.spec
    description = {
        "format": FORMAT,
        "model": _plain_model(candidate.network),
        "classes": list(candidate.classes),
        "imgsz": candidate.imgsz,
        "spec": {
            "parent": spec.parent,
            "groups": {
                name: {"width": width, "kept": list(kept)}
                for name, width, kept in zip(spec.groups, spec.widths, spec.kept, strict=True)
            },
            "dropped": list(spec.dropped),
        },
        "origin": list(candidate.origin.layers),
        "facts": json.loads(json.dumps(dict(facts), allow_nan=False)),  # as they will be read: keys become text
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    description["hash"] = digest = _digest(description)
    return digest, {WEIGHTS: weights, ARCHITECTURE: _text(description)}


def _plain_model(network: Detector) -> dict[str, Any]:
    return {name: value for name, value in network.yaml.items() if name != "channels"}


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    """Return the tensor as written: in half precision if nothing is lost or, with `half`, if the values fit into it."""
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point():
        return tensor
    if not torch.isfinite(tensor).all():
        raise CandidateError(f"tensor '{name}' holds values that are not finite")
    small = tensor.half()
    if not half:
        return small if torch.equal(small.to(tensor.dtype), tensor) else tensor.float()
    vanishes = name.endswith("running_var") and bool(((small == 0) & (tensor != 0)).any())
    return tensor.float() if vanishes or not torch.isfinite(small).all() else small


def _check_is_its_spec(candidate: Candidate, tensors: Mapping[str, Tensor]) -> None:
    """Refuse a network that could not be loaded again: a fused one, or one changed by hand."""
    model = _plain_model(candidate.network)
    structure = stock.structure_of(stock.resolve(model, len(candidate.classes)))
    same = (structure.key, len(structure.groups)) == (candidate.spec.parent, len(candidate.spec.groups))
    fault = _misfit(tensors, structure, candidate.spec) if same else "the spec is of another parent"
    if fault:
        raise CandidateError(f"the network is not what its spec says: {fault}")


def _text(description: Mapping[str, Any]) -> bytes:
    return (json.dumps(description, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _digest(description: Mapping[str, Any]) -> str:
    """Hash over the JSON, and through its `weights_sha256` over the tensors."""
    return hashlib.sha256(_text({name: v for name, v in description.items() if name != "hash"})).hexdigest()[:32]


def _description(folder: Path) -> dict[str, Any]:
    if not os.path.isfile(folder / ARCHITECTURE):
        raise CheckpointError(f"no checkpoint at '{folder}': {path_fact(folder)}")
    text = (folder / ARCHITECTURE).read_bytes()
    content = parse_json(text, f"checkpoint '{folder}' is damaged: {ARCHITECTURE}", CheckpointError)
    if not isinstance(content, dict) or content.get("format") not in READABLE:
        _damaged(folder, f"{ARCHITECTURE} is not of a format known here, {' or '.join(map(str, READABLE))}")
    check_plain(
        content, f"checkpoint '{folder}' is damaged: {ARCHITECTURE}", CheckpointError, most_values=MOST_JSON_VALUES
    )
    if _text(content) != text or _digest(content) != content.get("hash"):
        _damaged(folder, f"{ARCHITECTURE} was changed")
    return content


def _verified(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return both files if no byte has changed since they were written."""
    description = _description(folder)
    try:
        packed = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError:
        _damaged(folder, f"{WEIGHTS} is missing")
    if hashlib.sha256(packed).hexdigest() != description.get("weights_sha256"):
        _damaged(folder, f"{WEIGHTS} was changed")
    try:
        return description, parse_tensors(packed)
    except Exception as error:  # safetensors and torch raise errors of many kinds on odd bytes
        _damaged(folder, f"{WEIGHTS}: {shown_reason(error)}")


def _damaged(folder: Path, reason: str) -> NoReturn:
    raise CheckpointError(f"checkpoint '{folder}' is damaged: {reason}")


def _rebuilt(folder: Path, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Candidate:
    plain = NetworkDescription.of(_fields(folder, description))
    if len(plain.classes) != plain.class_count:
        _damaged(folder, f"it names {len(plain.classes)} classes and its model has {plain.class_count}")
    structure = stock.structure_of(stock.resolve(plain.model, len(plain.classes)))
    spec = _spec(folder, plain, structure)
    network = resized(structure.network, _whole(folder, tensors, structure, spec), structure.shortening(spec))
    stock.set_ultralytics_attributes(network, plain.classes, plain.imgsz)
    if len(plain.origin) != len(structure.layer_sections):
        _damaged(folder, f"its origin names {len(plain.origin)} layers; its model has {len(structure.layer_sections)}")
    return Candidate(spec, Origin(plain.origin), network, plain.classes, plain.imgsz)


def _whole(folder: Path, tensors: Mapping[str, Tensor], structure: Structure, spec: ArchSpec) -> dict[str, Tensor]:
    """Return the tensors under the parent's names, checked against the spec; empty ones for dropped bottlenecks."""
    if fault := _misfit(tensors, structure, spec):
        _damaged(folder, fault)
    slicer, restored = Slicer(structure.plan, spec), structure.whole_state(spec, tensors)
    return {
        name: (restored[name] if name in restored else torch.zeros(slicer.shape(name, own))).to(own.dtype)
        for name, own in structure.network.state_dict().items()
    }


def _misfit(tensors: Mapping[str, Tensor], structure: Structure, spec: ArchSpec) -> str | None:
    """Describe the first tensor that differs from what the spec requires."""
    shortening, slicer = structure.shortening(spec), Slicer(structure.plan, spec)
    own = {
        shortening.renamed(name): shortening.shape(name, slicer.shape(name, tensor))
        for name, tensor in structure.network.state_dict().items()
    }
    own.pop(None, None)
    if own.keys() != tensors.keys():
        return f"tensor '{min(own.keys() ^ tensors.keys(), key=str)}' is missing or does not belong there"
    for name, shape in own.items():
        if name is not None and tuple(tensors[name].shape) != shape:
            return f"tensor '{name}' is {tuple(tensors[name].shape)}; by its spec it is {shape}"
    return None


def _spec(folder: Path, plain: NetworkDescription, structure: Structure) -> ArchSpec:
    full = structure.full_spec
    if plain.parent != full.parent or plain.widths != dict(zip(full.groups, full.widths, strict=True)):
        _damaged(folder, f"its spec is of parent {shown(plain.parent, most=60)}, its model is {full.parent}")
    return structure.spec(tuple(plain.kept[name] for name in full.groups), plain.dropped)


def _fields(folder: str | Path, description: Mapping[str, Any]) -> Fields:
    """Return the fields of a description: it may come from another program, with a correct hash."""
    return Fields.of(description, f"checkpoint '{folder}' is damaged: {ARCHITECTURE}", CheckpointError)
