"""Cuts of the parent by one rule at several costs, as start points and hints of a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from search.study.cuts import Criterion, Cut
from search.study.spaces.base import LayoutTools

RANKED_CUTS = 16
"""Number of cuts that a pool of candidates holds beside those that are drawn."""


def hint_shares(narrowest: float) -> list[float]:
    """Return shares of the parent's FLOPs, in even steps of their logarithm.

    Args:
        narrowest: Smallest share of channels of the space. FLOPs fall with the product of two widths, so the last hint
            keeps its square.
    """
    return [narrowest ** (2 * step / RANKED_CUTS) for step in range(1, RANKED_CUTS + 1)]


def shares_of_cuts(
    tools: LayoutTools, cut: Cut, criterion: Criterion, multiple: int, flops_shares: Sequence[float]
) -> Iterator[list[float]]:
    """Yield, for each share of the parent's FLOPs, the share of channels that each group keeps."""
    cutter, flops = tools.cutter(cut, criterion, multiple), tools.flops_function()
    yield from (cutter.at_share(share, flops).shares for share in flops_shares)
