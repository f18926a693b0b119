"""Plan of a measurement on another machine: network files with their hashes, and the target. Needs no libraries."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from functools import cached_property
from pathlib import Path
from typing import Any

from spaces.base import SpaceError
from spaces.foreign.plain_json import Fields, read_json_file
from spaces.path_facts import path_fact
from spaces.shown import shown_value
from spaces.structure.shape import Shape

FORMAT = 1
_MOST_BYTES = 64 * 1024**2
PLAN, RESULTS, PROGRAM = "plan.json", "results.json", "measure.pyz"


class PlanError(SpaceError):
    """Fault of a plan, its files or its results: one is missing, damaged, or belongs to another plan."""


@dataclass(frozen=True)
class PackedNetwork:
    """File of one network that is timed.

    Attributes:
        name: `shape 3`, `trial 12`; unique within the plan.
        file: Name of the ONNX file in the plan's folder.
        sha256: Hash of the file.
        shape: Shape of the network, on which its latency depends.
    """

    name: str
    file: str
    sha256: str
    shape: Shape


@dataclass(frozen=True)
class Plan:
    """Networks that are timed in turn with a reference, and the settings of the measurement.

    Attributes:
        study: Name of the study, with its generation.
        front: Whether the networks are members of the study's front; they then have the names of its records.
        model: The parent's resolved model YAML, which the shapes refer to.
        classes: The parent's number of classes.
        provider: Provider of onnxruntime; the command line may choose another, and another number of threads.
        compared_with: `Target.reference`: the reference model and its shape.
        calibration: `Target.calibration`, if the files are int8.
        networks: Networks in the order of timing; those that improve the latency predictor most come first.
    """

    study: str
    front: bool
    model: Mapping[str, Any]
    classes: int
    provider: str
    precision: str
    imgsz: int
    batch: int
    threads: int
    compared_with: str
    calibration: str
    reference: PackedNetwork
    networks: tuple[PackedNetwork, ...]

    @cached_property
    def key(self) -> str:
        """Hash of the whole plan, including the content of its files."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]

    def as_text(self) -> str:
        """Return the plan as JSON, with its own hash."""
        return json.dumps({"format": FORMAT, "key": self.key, **asdict(self)}, indent=1) + "\n"

    def check_files(self, folder: Path) -> None:
        """Check that every file is there and unchanged.

        Raises:
            PlanError: If a file is missing or damaged.
        """
        for network in (self.reference, *self.networks):
            try:
                found = sha256_of(folder / network.file)
            except OSError:
                raise PlanError(f"'{folder / network.file}' is missing; copy the whole folder again") from None
            if found != network.sha256:
                raise PlanError(f"'{folder / network.file}' is damaged; copy it again")


def read_plan(folder: Path) -> Plan:
    """Return the plan in a folder.

    Raises:
        PlanError: If there is no plan, or it is damaged or was changed.
    """
    fields = Fields.of(read_json(folder / PLAN, "the plan is"), f"'{folder / PLAN}' is damaged: it", PlanError)
    if unknown := fields.values.keys() - {"key", *(each.name for each in dataclass_fields(Plan))}:
        raise PlanError(f"'{folder / PLAN}' is damaged: no plan has {shown_value(min(unknown))}")
    plan = Plan(
        study=fields.text("study"),
        front=fields.flag("front"),
        model=fields.inner("model").values,
        classes=fields.whole("classes", low=1),
        provider=fields.text("provider"),
        precision=fields.text("precision"),
        imgsz=fields.whole("imgsz", low=1),
        batch=fields.whole("batch", low=1),
        threads=fields.whole("threads", low=1),
        compared_with=fields.text("compared_with"),
        calibration=fields.text("calibration"),
        reference=_network(fields.inner("reference")),
        networks=tuple(map(_network, fields.each("networks"))),
    )
    if plan.key != fields.text("key"):
        raise PlanError(f"'{folder / PLAN}' was changed since it was written; pack it again")
    return plan


def read_json(path: Path, what: str, most_bytes: int = _MOST_BYTES) -> dict[str, Any]:
    """Return the content of a JSON file of this format, without its `format`.

    Raises:
        PlanError: If the file is missing, too large, is not JSON, or has another format.
    """
    if not os.path.isfile(path):
        raise PlanError(f"{what} not there: no '{path}'; of its folder, {path_fact(path.parent)}")
    plain = read_json_file(path, PlanError, most_bytes=most_bytes, finite=False)
    if not isinstance(plain, dict) or plain.pop("format", None) != FORMAT:
        raise PlanError(f"'{path}' has another format than {FORMAT}, the one known here")
    return plain


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _network(plain: Fields) -> PackedNetwork:
    shape = plain.inner("shape")
    name = Path(plain.text("file")).name  # always in this folder: a path in the file is ignored
    own = Shape(shape.text("parent"), shape.wholes("widths"), shape.texts("dropped"), shape.whole("imgsz", low=1))
    return PackedNetwork(plain.text("name"), name, plain.text("sha256"), own)
