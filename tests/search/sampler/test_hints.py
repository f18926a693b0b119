"""Cuts that a sensitivity analysis and the latency predictor expect to be good before any training."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from search.record.staircase import Values
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.hints import cheapest_cuts, cheapest_points, even_cuts
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.networks.graft import Donor
from spaces.search_spaces.grafts import GraftSpace
from tests.search.sampler.problem import Problem

WHOLE = [32, 32, 64, 64, 64]
TIES = [(0,), (1, 2), (3,), (4,)]
SENSITIVITY = SummedSensitivity(WHOLE, TIES, [0.1, 2.0, 0.5, 0.4], [1.5, 2.0, 0.5, 3.0])
MS_A_CHANNEL = np.array([0.02, 0.01, 0.005, 0.03, 0.001])
SHARES = (1.0, 0.75, 0.5, 0.25, 0.125)


def table(multiple: int = 8) -> NDArray[np.int64]:
    return np.array(
        [[max(multiple, round(width * share / multiple) * multiple) for width in WHOLE] for share in SHARES]
    )


def padded_latency(widths: Sequence[Sequence[int]]) -> Values:
    """Return latencies of a runtime that computes 16 channels at a time, and of two neighbours their product."""
    padded = np.ceil(np.array(widths) / 16) * 16
    found: Values = 0.5 + padded @ MS_A_CHANNEL + 2e-4 * padded[:, 2] * padded[:, 3]
    return found


def widths_of(places: Iterable[int]) -> list[int]:
    widths = table()[0].copy()
    for indices, place in zip(TIES, places, strict=True):
        widths[list(indices)] = table()[place, list(indices)]
    return [int(width) for width in widths]


def test_no_cut_is_much_worse_than_the_best_of_all_that_are_as_fast() -> None:
    everything = [widths_of(places) for places in itertools.product(range(len(SHARES)), repeat=len(TIES))]
    latency, loss = padded_latency(everything), SENSITIVITY.total(everything)
    found = cheapest_cuts(SENSITIVITY, table().tolist(), padded_latency, 0.0)
    assert len(found) >= 4
    for places in found:
        (ms,), (lost,) = padded_latency([widths_of(places)]), SENSITIVITY.total([widths_of(places)])
        assert lost <= 1.35 * loss[latency <= ms + 1e-9].min() + 0.05


def test_they_go_from_slow_to_fast_and_end_where_it_is_fast_enough() -> None:
    found = cheapest_cuts(SENSITIVITY, table().tolist(), padded_latency, 2.0)
    latency = padded_latency([widths_of(places) for places in found])
    assert (np.diff(latency) < 0).all()
    assert latency[-1] <= 2.0 < latency[-2]
    assert not cheapest_cuts(SENSITIVITY, table().tolist(), padded_latency, 1e9)


def test_a_runtime_that_is_never_faster_ends_the_cuts() -> None:
    def constant(widths: Sequence[Sequence[int]]) -> Values:
        return np.ones(len(widths))

    assert cheapest_cuts(SENSITIVITY, table().tolist(), constant, 0.5) == []


@pytest.fixture
def measured(problem: Problem, told: CandidatePredictions) -> CandidatePredictions:
    """Predictions of latencies that were measured before."""
    problem.search(problem.optuna("random", 0, None), 20)
    return told


def test_in_a_space_of_one_ratio_a_group_they_lose_less_than_even_cuts(
    problem: Problem, measured: CandidatePredictions
) -> None:
    predictions = replace(measured, band=(3.0, 9.0))
    cheapest = predictions.cheapest()
    assert len(cheapest) > 5
    assert predictions.cheapest() is cheapest, "found once for a band"
    sensitivity = predictions.sensitivity
    assert sensitivity is not None
    even = even_cuts(problem.space, sensitivity)

    def least_loss(points: Sequence[object], below_ms: float) -> float:
        predicted, losses = predictions.predict(points), predictions.loss_increases(points)  # type: ignore[arg-type]
        assert predicted is not None and losses is not None
        return float(losses[predicted.latency_ms <= below_ms].min())

    for below_ms in (6.0, 5.0, 4.0):
        assert least_loss(cheapest, below_ms) <= 1.02 * least_loss(even, below_ms)


def test_they_may_begin_with_a_network_that_was_cut_before() -> None:
    first = np.array([1, 2, 0, 3])
    found = cheapest_cuts(SENSITIVITY, table().tolist(), padded_latency, 0.0, first)
    assert found and all((places >= first).all() for places in found)


def test_the_cuts_of_a_band_are_those_of_the_wider_network(problem: Problem, measured: CandidatePredictions) -> None:
    predictions = replace(measured, plan=replace(problem.plan, inherits=True), band=(3.0, 4.5))
    widest = problem.record(0, dict.fromkeys(problem.plan.parameters, 0.75))
    problem.store.add(problem.study, replace(widest, checkpoint="wide"), None)
    wider = predictions.wider()
    assert wider is not None and wider.name == "trial 0"
    points = predictions.cheapest()
    assert points
    assert predictions.for_band(wider, points, range(len(points))) == list(range(len(points)))
    again = [*points, widest.params]
    assert predictions.for_band(None, again, range(len(again))) == list(range(len(points))), "it is trained already"
    assert replace(predictions, plan=problem.plan).wider() is None, "nothing is inherited"


def test_there_are_none_without_a_sensitivity_analysis(problem: Problem) -> None:
    assert replace(problem.predictions(), band=(3.0, 9.0)).cheapest() == []


def test_there_are_none_in_a_space_that_does_not_set_each_width(problem: Problem) -> None:
    donors = {"by hand": Donor("d", problem.parent.as_candidate())}
    grafts = GraftSpace(problem.parent, donors, multiple=4, ratios="stage")
    assert cheapest_points(grafts, SENSITIVITY, padded_latency, 1.0) == []
    assert even_cuts(grafts, SENSITIVITY) == []
