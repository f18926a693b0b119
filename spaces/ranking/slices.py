"""Nested sets of the most important channels of each group, at any width. Results are remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spaces.structure.groups import ChannelGroup, tied


class ChannelSlices:
    """First channels of each group's order, for a space that decodes many points."""

    def __init__(self, groups: Sequence[ChannelGroup], orders: Mapping[str, Sequence[int]]) -> None:
        """Store the orders.

        Args:
            orders: For each group its channels, best first.
        """
        self._orders = [tuple(orders[group.name]) for group in groups]
        self._ties = tuple(tied(groups).values())
        self._known: dict[tuple[int, int], tuple[int, ...]] = {}  # at most one entry for each group and width

    def kept(self, widths: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Return the first channels of each group, ascending; tied groups take the smallest of their widths.

        Args:
            widths: Number of channels to keep, in the groups' order.
        """
        kept: list[tuple[int, ...]] = [()] * len(self._orders)
        for indices in self._ties:
            width = min([widths[index] for index in indices]) if len(indices) > 1 else widths[indices[0]]
            for index in indices:
                kept[index] = self._slice(index, width)
        return tuple(kept)

    def _slice(self, index: int, width: int) -> tuple[int, ...]:
        found = self._known.get((index, width))
        if found is None:
            found = self._known[index, width] = tuple(sorted(self._orders[index][:width]))
        return found
