"""Central types: `ArchSpec` (kept channels of the parent), `Origin` (sources of weights), `Candidate`, `Space`.

This module imports neither torch nor Ultralytics, so that a command line which only reads records stays fast.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from torch import nn

Section = Literal["backbone", "neck", "detect"]
ParamValue = str | int | float | bool

PARENT = "parent"
"""Source that stands for the parent's own weights in an `Origin`."""

SCRATCH = "scratch"
"""Source that stands for freshly initialised weights in an `Origin`."""

MOST_CLASSES = 20_000
"""Maximum number of classes: the largest data sets have 14,000, and a head for many more does not fit into memory."""

MOST_IMGSZ = 8192
"""Maximum image size in px: one image of it takes 800 MB as float32, before any layer."""


class CandidateError(Exception):
    """Fault of a candidate: it does not build, export, train or measure. The study goes on without it."""


class SpaceError(ValueError):
    """Fault in the definition of a space, a spec or a parent. Nothing can run with it."""


class ParameterRole(Enum):
    """Role of a parameter, so that a sampler need not know the names of any space.

    Attributes:
        WIDTH: The share of channels that stay, in (0, 1]; its whole effect is on the widths of the network.
        DEPTH: The number of residual bottlenecks that stay.
        DONOR: The network that gives its channels and weights; most of its effect is on the widths.
        OTHER: Anything else.
    """

    WIDTH = "width"
    DEPTH = "depth"
    DONOR = "donor"
    OTHER = "other"


@dataclass(frozen=True)
class Categorical:
    """Parameter that takes one of the given options."""

    options: tuple[ParamValue, ...]
    role: ParameterRole = field(default=ParameterRole.OTHER, kw_only=True, compare=False)


@dataclass(frozen=True)
class Float:
    """Real parameter in [low, high], on a grid of `step` or a logarithmic scale where given."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    role: ParameterRole = field(default=ParameterRole.OTHER, kw_only=True, compare=False)

    def at(self, level: float) -> float:
        """Return the value at a level of the range, from 0 (low) to 1 (high), on the grid."""
        value = self.low + level * (self.high - self.low)
        if self.step:
            value = self.low + round((value - self.low) / self.step) * self.step
        return min(self.high, value)  # 0.1 + 2 * 0.1 is more than 0.3

    def nearest(self, value: float) -> float:
        """Return the value of the range and its grid that is nearest to the given one."""
        if self.high <= self.low:
            return self.high
        return self.at(min(1.0, max(0.0, (value - self.low) / (self.high - self.low))))


@dataclass(frozen=True)
class Integer:
    """Whole parameter in [low, high], on a grid of `step`."""

    low: int
    high: int
    step: int = 1
    role: ParameterRole = field(default=ParameterRole.OTHER, kw_only=True, compare=False)


Parameter = Categorical | Float | Integer

START_LEVELS = (1.0, 0.5, 0.0)
"""Levels of the start points, from the low end (0) to the high end (1) of the range; all real parameters share one."""


@lru_cache(maxsize=8192)
def _packed(width: int, kept: tuple[int, ...]) -> bytes | None:
    """Return the kept channels as a packed bit mask; None if they are not ascending, not unique or out of [0, width).

    The specs of a study keep the same few slices of each group again and again, so these are remembered.
    """
    if not kept or kept[0] < 0 or kept[-1] >= width or any(a >= b for a, b in pairwise(kept)):
        return None
    mask = np.zeros(width, dtype=bool)
    mask[list(kept)] = True
    return np.packbits(mask).tobytes()


def shape_key(parent: str, lengths: tuple[int, ...], dropped: tuple[str, ...]) -> str:
    """Return the hash of a structure's key, the number of kept channels of each group and the dropped bottlenecks."""
    counts = np.array(lengths, dtype=np.int32).tobytes()
    return hashlib.sha256(parent.encode() + counts + "\n".join(dropped).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class ArchSpec:
    """Architecture of a candidate: the kept channels and repeats of the parent, in the parent's own numbering.

    Canonical: every channel group of the parent is listed, in the parent's order, with ascending channel
    numbers, and groups that lie inside a dropped bottleneck are whole; so equal networks have equal specs.

    Attributes:
        parent: Key of the parent's structure and class count; its weights do not matter.
        groups: Names of the parent's channel groups, in the parent's order.
        widths: The parent's own width of each group, in channels.
        kept: For each group the kept channel numbers, ascending, each in [0, width).
        dropped: Names of the residual bottlenecks (`model.4.m.1`) that are left out, in the parent's order.
    """

    parent: str
    groups: tuple[str, ...]
    widths: tuple[int, ...]
    kept: tuple[tuple[int, ...], ...]
    dropped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.groups) == len(self.widths) == len(self.kept):
            raise SpaceError("a spec needs one width and one list of kept channels for each group")
        for name, width, kept, mask in zip(self.groups, self.widths, self.kept, self._masks, strict=True):
            if not kept:
                raise SpaceError(f"group '{name}' keeps no channel; at least one must stay")
            if mask is None:
                raise SpaceError(f"group '{name}': kept channels must be ascending, unique and in [0, {width})")
        if len(set(self.dropped)) < len(self.dropped):
            raise SpaceError("a spec names a dropped bottleneck twice")

    @cached_property
    def _masks(self) -> tuple[bytes | None, ...]:
        return tuple(map(_packed, self.widths, self.kept))

    @cached_property
    def key(self) -> str:
        """Hash of the whole spec, over packed bit masks (equal specs, equal keys)."""
        parts = (self.parent.encode(), *(mask for mask in self._masks if mask), "\n".join(self.dropped).encode())
        return hashlib.sha256(b"".join(parts)).hexdigest()[:32]

    @cached_property
    def shape_key(self) -> str:
        """Hash of all that latency and cost depend on: structure, number of kept channels, dropped bottlenecks."""
        return shape_key(self.parent, tuple(map(len, self.kept)), self.dropped)

    def kept_in(self, group: str) -> tuple[int, ...]:
        """Return kept channel numbers of one group.

        Raises:
            SpaceError: If the parent has no such group.
        """
        try:
            return self.kept[self.groups.index(group)]
        except ValueError:
            raise SpaceError(f"the parent has no channel group '{group}'") from None

    @property
    def is_whole(self) -> bool:
        """True if nothing is cut: the parent itself."""
        return not self.dropped and all(map(int.__eq__, map(len, self.kept), self.widths))

    @property
    def shares(self) -> list[float]:
        """Share of kept channels of each group, in (0, 1]."""
        return [len(kept) / width for kept, width in zip(self.kept, self.widths, strict=True)]

    @property
    def channel_ratio(self) -> float:
        """Kept channels as a share of all channels that could be cut, in (0, 1]."""
        return sum(map(len, self.kept)) / sum(self.widths)


@dataclass(frozen=True)
class Origin:
    """Sources of a candidate's weights, for each top-level layer of the parent (`model.0`, `model.1`, ...).

    A source is `PARENT`, `SCRATCH` or the content hash of a donor's checkpoint. Each tensor is inherited from the
    source of the layer that it lies in, so a channel group whose members lie in several layers may have several
    sources. Weights that read a channel which the source has cut come from the parent.
    """

    layers: tuple[str, ...]

    @cached_property
    def key(self) -> str:
        """Hash of the sources (equal origins, equal keys)."""
        return hashlib.sha256("\n".join(self.layers).encode()).hexdigest()[:32]

    @property
    def sources(self) -> tuple[str, ...]:
        """The distinct sources, in order of first use."""
        return tuple(dict.fromkeys(self.layers))


@dataclass(frozen=True)
class Candidate:
    """Network built from a spec, with inherited weights or, after training, its own.

    Attributes:
        network: A stock Ultralytics `DetectionModel` whose layers have the spec's widths; float32, on the CPU.
        classes: Class names by class number.
        imgsz: Image size in px that the network is meant for (square).
        parent: The `Parent` that it was built from, None for a network loaded from a checkpoint. Only a graft asks for
            it, to fill its seam; the type is not named here, because `Parent` stands above this module.
    """

    spec: ArchSpec
    origin: Origin
    network: nn.Module = field(repr=False)
    classes: tuple[str, ...]
    imgsz: int
    parent: object | None = field(default=None, repr=False, compare=False)


class Space(ABC):
    """Choices of a study. `decode` is canonical and cheap; `build` does not touch the parent.

    A new space defines the three abstract members. `start_points` and `nearest`, and the roles of its parameters, help
    the sampler.
    """

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters that a sampler sets, by name, in a fixed order."""

    @abstractmethod
    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        """Turn a sampler's parameters into a spec and the origin of its weights.

        Raises:
            SpaceError: If a parameter is missing, unknown or out of its range.
        """

    @abstractmethod
    def build(self, spec: ArchSpec, origin: Origin) -> Candidate:
        """Build the network with inherited weights.

        Raises:
            CandidateError: If the network cannot be built.
        """

    def start_points(self) -> tuple[Mapping[str, ParamValue], ...]:
        """Return the points that the first trials take; parameters that a point lacks are drawn at random.

        By default all real parameters have their greatest, their middle and their smallest value.
        """
        reals = {name: each for name, each in self.parameters.items() if isinstance(each, Float)}
        levels = START_LEVELS if reals else ()
        return tuple({name: each.at(level) for name, each in reals.items()} for level in levels)

    def nearest(self, shares: Sequence[float]) -> Mapping[str, ParamValue] | None:
        """Return the point whose network keeps about the given share of each group's channels.

        The point lacks parameters that do not affect the widths. None if the space does not set each width by itself.
        """
        return None

    def point_of_donor(self, checkpoint: str) -> Mapping[str, ParamValue] | None:
        """Return the point whose network is a whole donor, uncut; None if the space has no such point.

        Args:
            checkpoint: Content hash of the donor's weights.
        """
        return None
