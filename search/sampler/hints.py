"""Cuts that are expected to be good before any training, by a sensitivity analysis: candidates of the pools.

Source of the even cuts: the one tolerance for all layers of FastNAS in NVIDIA's Model Optimizer. Source of the cheapest
cuts: the greedy loop of NetAdapt (Yang et al., ECCV 2018, section 3), which cuts the layer that loses the least
accuracy for the resource it saves. Here nothing is trained on the way: the summed sensitivity predicts the loss, and
the latency predictor the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search.record.staircase import Values
from search.sampler.candidate_pool import Point
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import Categorical, Float, Parameter, ParameterRole, ParamValue, Space

EVEN_CUTS = 24
"""Number of even cuts, from hardly any cut to the narrowest."""
MOVES_AT_ONCE = 2
"""Number of groups that are cut before the next prediction, to spare predictions."""
STEPS_AHEAD = 3
"""Number of next widths of a group that are compared: where a runtime pads channels, one step may save nothing."""
LEAST_SAVED = 1e-4
"""Minimum share of latency that a cut must save; some runtimes are no faster with a few channels less."""
SPACING = 0.02
"""Minimum share of latency by which two cuts that are returned differ."""

Places = NDArray[np.int64]


LatencyOf = Callable[[Sequence[Sequence[int]]], Values]
"""Predicts the latency of M networks, shape (M,), from their widths, shape (M, G)."""


def narrowest_point(space: Space, parameters: Mapping[str, Parameter], groups: int) -> Point | None:
    """Return the point of the narrowest network; None if the space does not set the width of each of its G groups.

    Args:
        parameters: All that the sampler sets, those of the recipe included; each has its least value.
    """
    ratios = _ratios(space)
    cut = space.nearest([min(ratio.low for ratio in ratios)] * groups) if ratios else None
    return None if cut is None else {**{name: _least(each) for name, each in parameters.items()}, **cut}


def _least(parameter: Parameter) -> ParamValue:
    """Return the least value of a number, or the first option if the options are no numbers."""
    if not isinstance(parameter, Categorical):
        return parameter.low
    numbers = [each for each in parameter.options if isinstance(each, int | float)]
    return min(numbers) if len(numbers) == len(parameter.options) else parameter.options[0]


def even_cuts(space: Space, sensitivity: SummedSensitivity) -> list[Point]:
    """Return points that cut all groups to the same loss increase; none if the space does not set each width by itself.

    Parameters of recipe and depth are not set.
    """
    narrowest = min((ratio.low for ratio in _ratios(space)), default=1.0)
    shares = np.geomspace(1.0, narrowest, EVEN_CUTS + 1)[1:] if narrowest < 1.0 else ()
    points = [space.nearest(sensitivity.evenly(float(share)).tolist()) for share in shares]
    return [point for point in points if point is not None]


def cheapest_points(
    space: Space,
    sensitivity: SummedSensitivity,
    latency_of: LatencyOf,
    fastest: float,
    widest: Sequence[int] | None = None,
) -> list[Point]:
    """Return points that lose least for the time they save; none if the space does not set each width by itself.

    Args:
        fastest: Latency at which the cuts end.
        widest: Widths of the network that is cut, shape (G,); those of the whole one by default.
    """
    ratios = _ratios(space)
    if not ratios or not all(ratio.step for ratio in ratios):
        return []
    low, high, step = ratios[0].low, ratios[0].high, float(ratios[0].step or 1.0)
    grid = [high - place * step for place in range(round((high - low) / step) + 1)]
    known = [space.nearest([share] * len(sensitivity.whole)) for share in grid]
    widths_at = [[len(kept) for kept in space.decode(point)[0].kept] for point in known if point is not None]
    if not widths_at:
        return []
    first = None if widest is None else _widest_places(sensitivity, np.array(widths_at), widest)
    points = []
    for places in cheapest_cuts(sensitivity, widths_at, latency_of, fastest, first):
        shares = np.ones(len(sensitivity.whole))
        for indices, place in zip(sensitivity.ties, places, strict=True):
            shares[list(indices)] = grid[int(place)]
        points.append(space.nearest(shares.tolist()))
    return [point for point in points if point is not None]


def _ratios(space: Space) -> list[Float]:
    """Return the parameters that set widths."""
    parameters = space.parameters.values()
    return [each for each in parameters if each.role is ParameterRole.WIDTH and isinstance(each, Float)]


def cheapest_cuts(
    sensitivity: SummedSensitivity,
    widths_at: Sequence[Sequence[int]],
    latency_of: LatencyOf,
    fastest: float,
    first: Places | None = None,
) -> list[Places]:
    """Return cuts from the slowest to the first one that is fast enough, each as a place on the grid for each tie.

    Args:
        sensitivity: Predicts the loss increase of widths; its T ties are cut one by one.
        widths_at: Widths of all groups at each place of the grid of ratios, the greatest ratio first, shape (P, G).
        latency_of: Predicts the latency of M networks from their widths, shape (M, G).
        fastest: Latency at which the cuts end.
        first: Place of each tie in the network that is cut, shape (T,); the whole network by default.
    """
    table = np.array(widths_at)
    ties = [list(indices) for indices in sensitivity.ties]
    owners = _owners(ties, table.shape[1])
    places = np.zeros(len(ties), dtype=np.int64) if first is None else first
    now = last = float(latency_of(_widths(table, owners, [places]))[0])
    found: list[Places] = []
    while now > fastest:
        options = [option for tie in range(len(ties)) for option in _narrower(table, ties, places, tie)]
        if not options:
            break
        widths = _widths(table, owners, options)
        saved = now - latency_of(widths)
        lost = sensitivity.total(widths) - sensitivity.total(_widths(table, owners, [places]))[0]
        price = np.where(saved > LEAST_SAVED * now, lost / np.maximum(saved, 1e-12), np.inf)
        order = np.argsort(price, kind="stable") if np.isfinite(price).any() else np.argsort(lost, kind="stable")
        for place in order[: MOVES_AT_ONCE if np.isfinite(price).sum() >= MOVES_AT_ONCE else 1]:
            places = np.maximum(places, options[place])
        now = float(latency_of(_widths(table, owners, [places]))[0])
        if now < last * (1.0 - SPACING):
            found.append(places)
            last = now
    return found


def _widest_places(sensitivity: SummedSensitivity, table: NDArray[np.int64], widest: Sequence[int]) -> Places:
    """Return for each tie the first place where it is no wider than a network; the last place if there is none."""
    found = []
    for indices in sensitivity.ties:
        narrow = np.flatnonzero(table[:, indices[0]] <= widest[indices[0]])
        found.append(int(narrow[0]) if len(narrow) else len(table) - 1)
    return np.array(found, dtype=np.int64)


def _owners(ties: Sequence[Sequence[int]], groups: int) -> NDArray[np.int64]:
    """Return the number of the tie that each group belongs to, shape (G,); T for a group in none of the T ties."""
    owners = np.full(groups, len(ties), dtype=np.int64)
    for number, indices in enumerate(ties):
        owners[list(indices)] = number
    return owners


def _widths(table: NDArray[np.int64], owners: NDArray[np.int64], places: Sequence[Places]) -> list[list[int]]:
    """Return the widths of all groups of M networks, shape (M, G); each tie stands at its place, others are whole."""
    whole = np.zeros((len(places), 1), dtype=np.int64)
    place_of_group = np.hstack([np.array(places), whole])[:, owners]
    found: list[list[int]] = table[place_of_group, np.arange(table.shape[1])].tolist()
    return found


def _narrower(table: NDArray[np.int64], ties: Sequence[Sequence[int]], places: Places, tie: int) -> Iterator[Places]:
    """Yield the places with one tie at each of the next places where it is really narrower."""
    widths = table[:, ties[tie][0]]
    further = np.flatnonzero(widths < widths[places[tie]])
    for place in [each for each in further if widths[each] < widths[each - 1]][:STEPS_AHEAD]:
        moved = places.copy()
        moved[tie] = place
        yield moved
