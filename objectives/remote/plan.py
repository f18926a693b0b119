"""Plan of a measurement on another machine: network files with their hashes, and the target. Needs no library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spaces.base import SpaceError
from spaces.structure.shape import Shape

FORMAT = 1
PLAN, RESULTS, PROGRAM = "plan.json", "results.json", "measure.pyz"


class PlanError(SpaceError):
    """Fault of a plan, one of its files or the results: missing, damaged, or not of the same plan."""


@dataclass(frozen=True)
class PackedNetwork:
    """File of one network that is timed.

    Attributes:
        name: `shape 3`, `trial 12`; unique within the plan.
        file: Name of the ONNX file in the plan's folder.
        sha256: Of the file.
        shape: What its latency depends on.
    """

    name: str
    file: str
    sha256: str
    shape: Shape


@dataclass(frozen=True)
class Plan:
    """Networks that are timed in turn with a reference, and the settings of the measurement.

    Attributes:
        study: Name of the study that they are for, with its generation.
        front: Whether the networks are members of its front; their names are then those of its records.
        model: The parent's resolved model YAML, and its class count: what the shapes are shapes of.
        provider: The provider and threads of onnxruntime that the device is asked for; it may choose others.
        compared_with: `Target.reference`: the reference model and its shape.
        calibration: `Target.calibration`, where the files are int8.
        networks: In the order in which they are timed; those that tell the predictor most come first.
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
        """Hash of the whole plan, the files' content included."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]

    def as_text(self) -> str:
        """Return the plan as JSON, with its own hash."""
        return json.dumps({"format": FORMAT, "key": self.key, **asdict(self)}, indent=1) + "\n"

    def check_files(self, folder: Path) -> None:
        """Make sure that every file is there and as it was written.

        Raises:
            PlanError: If one is not.
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
        PlanError: If there is none, or it was changed.
    """
    plain = read_json(folder / PLAN, "the plan is")
    try:
        said = plain.pop("key")
        networks = tuple(map(_network, plain.pop("networks")))
        plan = Plan(reference=_network(plain.pop("reference")), networks=networks, **plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(f"'{folder / PLAN}' is damaged: {error}") from error
    if plan.key != said:
        raise PlanError(f"'{folder / PLAN}' was changed since it was written; pack it again")
    return plan


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return a JSON file of this format, without its `format`.

    Raises:
        PlanError: If it is missing, no JSON, or of another format.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"{what} not there: no '{path}'") from None
    except (ValueError, OSError) as error:
        raise PlanError(f"'{path}' cannot be read: {error}") from error
    if not isinstance(plain, dict) or plain.pop("format", None) != FORMAT:
        raise PlanError(f"'{path}' is not of the format known here, {FORMAT}")
    return plain


def sha256_of(path: Path) -> str:
    """Hash of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _network(plain: Mapping[str, Any]) -> PackedNetwork:
    shape = plain["shape"]
    name = Path(plain["file"]).name  # of this folder, whatever is written there
    widths, dropped = tuple(shape["widths"]), tuple(shape["dropped"])
    return PackedNetwork(plain["name"], name, plain["sha256"], Shape(shape["parent"], widths, dropped, shape["imgsz"]))
