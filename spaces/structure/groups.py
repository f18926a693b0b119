"""Channel groups: channels of several layers that must be cut together, and where their tensors are sliced."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spaces.base import ArchSpec, Section, SpaceError

Side = Literal["in", "out"]
Indices = NDArray[np.int64]


class Member(NamedTuple):
    """Position of a group's channels in one layer: (module, side, positions).

    Attributes:
        module: Full name of a convolution or batch norm, `model.2.cv1.conv`.
        side: `out` if the layer makes the channels (or, in a depthwise convolution or a batch norm, passes them on);
            `in` if it reads them.
        positions: For each channel of the group, in its order, the channel number in that layer. A group read
            twice by one layer (SPPF) is two members.
    """

    module: str
    side: Side
    positions: tuple[int, ...]


@dataclass(frozen=True)
class ChannelGroup:
    """Channels of several layers that must be cut together.

    The residual of `y = x + conv2(conv1(x))` couples channel k of the layer that made x with channel k of conv2: they
    are one group of x's width. conv1's channels are a group of their own.

    Attributes:
        name: The layer that makes the channels, `model.4.cv2`; `model.4.cv1:0` where it makes several groups.
        width: Channels in the parent.
        section: Part of the detector that the producing layer belongs to.
        stage: Resolution of the producing layer as the power of two by which the image is shrunk: 3 means
            1/8 (P3). In the Detect head, that of the tower.
        tie: Groups with the same tie keep equal widths (any channels), because the stock code splits their
            common convolution into equal parts; None for a group that is free.
    """

    name: str
    width: int
    section: Section
    stage: int
    tie: str | None
    members: tuple[Member, ...]


class CutPlan:
    """Group and channel at each position of each layer side; turns a spec into indices."""

    def __init__(
        self,
        groups: Sequence[ChannelGroup],
        sizes: Mapping[tuple[str, Side], int],
        transposed: Collection[str] = (),
    ) -> None:
        """Number the channels of all groups in one sequence, and store the numbers for each layer side.

        Args:
            sizes: Channels of each layer side in the parent. Positions in no group are always kept.
            transposed: Names of layers whose weight has the channels that they read first: transposed convolutions.
        """
        self.transposed = frozenset(transposed)
        self._widths = [group.width for group in groups]
        total = sum(self._widths)
        self._line: dict[tuple[str, Side], Indices] = {}
        offset = 0
        for group in groups:
            channels = np.arange(offset, offset + group.width)
            for member in group.members:
                key = (member.module, member.side)
                line = self._line.setdefault(key, np.full(sizes[key], total, dtype=np.int64))
                line[list(member.positions)] = channels
            offset += group.width

    def kept(self, spec: ArchSpec) -> dict[tuple[str, Side], Indices]:
        """Return kept channel numbers, ascending, of each layer side that has channels in a group."""
        mask = np.zeros(sum(self._widths) + 1, dtype=bool)
        mask[-1] = True  # positions in no group
        offset = 0
        for width, kept in zip(self._widths, spec.kept, strict=True):
            mask[np.asarray(kept) + offset] = True
            offset += width
        return {key: np.flatnonzero(mask[line]) for key, line in self._line.items()}


def tied(groups: Sequence[ChannelGroup]) -> dict[str, tuple[int, ...]]:
    """Return indices of the groups under each tie; an untied group is alone under its own name."""
    found: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        found.setdefault(group.tie or group.name, []).append(index)
    return {name: tuple(indices) for name, indices in found.items()}


def check_ties(groups: Sequence[ChannelGroup], kept: Sequence[Sequence[int]]) -> None:
    """Make sure that tied groups keep equal widths.

    Raises:
        SpaceError: If they do not.
    """
    for tie, indices in tied(groups).items():
        widths = [len(kept[index]) for index in indices]
        if len(set(widths)) > 1:
            raise SpaceError(
                f"groups {', '.join(repr(groups[i].name) for i in indices)} keep {widths} channels; "
                f"the equal parts of '{tie}' must keep equally many"
            )


def chosen_channels(group: ChannelGroup, kept: Any, best: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """Return the channel numbers that a group keeps: the given numbers or, for a width, the first of its `best`.

    Raises:
        SpaceError: If a number or the width is not one of the group's.
    """
    if isinstance(kept, Number):
        width = _whole(group, kept)
        if not 1 <= width <= group.width:
            raise SpaceError(f"group '{group.name}' cannot keep {width} of its {group.width} channels")
        return tuple(sorted(best[group.name][:width]))
    if isinstance(kept, str) or not isinstance(kept, Iterable):
        raise SpaceError(f"group '{group.name}' keeps {kept!r}; give a width or channel numbers")
    return tuple(sorted(_whole(group, number) for number in kept))


def _whole(group: ChannelGroup, number: Any) -> int:
    """Return a number of any kind as an int: specs are hashed and go into JSON."""
    try:
        if not isinstance(number, bool):
            return operator.index(number)
    except TypeError:
        pass
    raise SpaceError(f"group '{group.name}': {number!r} is no whole number")
