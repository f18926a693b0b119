"""Reads the description of a network from a checkpoint's JSON, and checks the type of each value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces.foreign.plain_json import Fields


@dataclass(frozen=True)
class NetworkDescription:
    """Architecture of a network as it is stored.

    Attributes:
        class_count: Number of classes in the model YAML; a damaged file may name more or fewer.
        parent: Key of the structure that the network was cut from.
        widths: Channels of the parent by group; `kept` the numbers of those that the network has.
        dropped: Names of the bottlenecks that are left out; format 1 has none.
        origin: Sources of the weights by layer.
    """

    classes: tuple[str, ...]
    class_count: int
    model: Mapping[str, Any]
    imgsz: int
    parent: str
    widths: Mapping[str, int]
    kept: Mapping[str, tuple[int, ...]]
    dropped: tuple[str, ...]
    origin: tuple[str, ...]

    @classmethod
    def of(cls, plain: Fields) -> NetworkDescription:
        """Read the fields of the JSON; a fault is raised as their kind of error."""
        model, spec = plain.inner("model"), plain.inner("spec")
        groups = spec.inner("groups").items()
        return cls(
            plain.texts("classes"),
            model.whole("nc"),
            model.values,
            plain.whole("imgsz", low=1, high=10**5),
            spec.text("parent"),
            {name: group.whole("width") for name, group in groups},
            {name: group.wholes("kept") for name, group in groups},
            spec.texts("dropped") if "dropped" in spec else (),
            plain.texts("origin"),
        )
