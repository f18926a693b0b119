"""Shape of a network: everything that its latency depends on, without the weights and the choice of channels.

This module imports neither torch nor Ultralytics, so that a command that only reads stored shapes stays fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from spaces.base import ArchSpec, Candidate, SpaceError, shape_key


@dataclass(frozen=True)
class Shape:
    """Widths of a parent's channel groups and the dropped bottlenecks, at one image size.

    Attributes:
        parent: Key of the parent's structure and class count.
        widths: Kept channels of each of the parent's channel groups, in the parent's order; groups inside a dropped
            bottleneck count as whole.
        dropped: Names of the residual bottlenecks (`model.4.m.1`) that are left out, in the parent's order.
        imgsz: Image size in px (square).
    """

    parent: str
    widths: tuple[int, ...]
    dropped: tuple[str, ...]
    imgsz: int

    def __post_init__(self) -> None:
        if min(self.widths, default=1) < 1:
            raise SpaceError(f"a shape has a group of {min(self.widths)} channels; at least one must stay")
        if self.imgsz < 1:
            raise SpaceError(f"a shape's imgsz is {self.imgsz}; it must be at least 1 px")

    @classmethod
    def of(cls, candidate: Candidate) -> Shape:
        """Return the shape of a candidate, at the image size that it is meant for."""
        return cls.of_spec(candidate.spec, candidate.imgsz)

    @classmethod
    def of_spec(cls, spec: ArchSpec, imgsz: int) -> Shape:
        """Return the shape of all networks of a spec, at an image size in px."""
        return cls(spec.parent, tuple(map(len, spec.kept)), spec.dropped, imgsz)

    @cached_property
    def key(self) -> str:
        """`ArchSpec.shape_key` of the specs that have this shape; the image size is not part of it."""
        return shape_key(self.parent, self.widths, self.dropped)
