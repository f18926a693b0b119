"""The warning that a parent is not trained to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from objectives.base import EpochResult
from search.findings.parent_training import climb, parent_warning, training_remarks
from search.record.trial import TrialRecord
from spaces.base import SCRATCH, Origin
from tests.search.findings.test_training_noise import named, reached, repeated
from tests.search.plausible import plausible_evaluation, plausible_study

RECORDS = plausible_study().records
PARENT, TRIAL = RECORDS[0], next(record for record in RECORDS if record.name == "trial 7")


def with_accuracy(record: TrialRecord, value: float) -> TrialRecord:
    return replace(record, evaluations=(plausible_evaluation("val", value),))


def curve(height: Callable[[int], float], epochs: int) -> tuple[EpochResult, ...]:
    return tuple(EpochResult(epoch, height(epoch), 0.5, 1.0, 1.0) for epoch in range(epochs + 1))


def flat(record: TrialRecord) -> TrialRecord:
    """The same record, with a learning curve that has come to its end."""
    return replace(record, rungs=curve(lambda epoch: min(epoch, 10) / 20, 24), recipe={"epochs": 24})


def study(gain: float, *more: TrialRecord) -> list[TrialRecord]:
    """A parent with a flat curve, and a trial that is better than it by so much."""
    return [flat(PARENT), with_accuracy(TRIAL, reached(PARENT) + gain), *more]


def test_a_parent_that_nothing_beats_is_trained_to_its_end() -> None:
    assert parent_warning(study(-0.02)) == ""
    assert parent_warning(study(0.008)) == "", "so little means nothing"
    assert parent_warning([]) == ""


def test_a_network_made_from_it_that_is_better_shows_that_it_is_not() -> None:
    assert parent_warning(study(0.031)) == (
        "warning: the parent is not trained to its end: trial 7, made from it, has 0.031 more mAP50-95; "
        "train it longer: -o parent.recipe.epochs=48 --new"
    )


@pytest.mark.parametrize("difference, warns", [(0.001, True), (0.02, False)])
def test_the_noise_of_the_study_decides_what_is_better(difference: float, warns: bool) -> None:
    records = study(0.02)
    assert bool(parent_warning([*records, repeated(records[1], -difference)])) is warns
    if not warns:  # the repeated training itself is no such network either
        assert parent_warning([*study(-0.02), repeated(records[1], 0.06)]) == ""


def test_networks_that_are_not_made_from_the_parent_show_nothing() -> None:
    scratch = replace(TRIAL, origin=Origin((SCRATCH,) * 10))
    assert TRIAL.spec is not None
    stock = replace(TRIAL, spec=replace(TRIAL.spec, parent="yolov8s-10"), number=None, name="stock")
    better = [with_accuracy(each, reached(PARENT) + 0.2) for each in (scratch, stock)]
    assert parent_warning([flat(PARENT), *better]) == ""


def test_a_curve_that_still_climbs_shows_it_too() -> None:
    climbing = replace(PARENT, rungs=curve(lambda epoch: epoch * 0.003, 24), recipe={"epochs": 24})
    assert parent_warning([climbing]) == (
        "warning: the parent is not trained to its end: the parent's own mAP50-95 still grew by 0.015 over "
        "the last 5 of its 24 epochs; train it longer: -o parent.recipe.epochs=48 --new"
    )
    both = parent_warning([climbing, with_accuracy(TRIAL, reached(PARENT) + 0.1)])
    assert "has 0.100 more mAP50-95; the parent's own mAP50-95 still grew by 0.015" in both


def test_of_a_parent_that_was_given_trained_only_its_accuracy_is_known() -> None:
    given = replace(PARENT, rungs=(), recipe={})
    assert parent_warning([given]) == ""
    assert parent_warning([given, with_accuracy(TRIAL, reached(PARENT) + 0.05)]).endswith(
        "trial 7, made from it, has 0.050 more mAP50-95; it was given trained: train it longer before the search"
    )


def test_a_study_with_a_copied_parent_names_the_study_that_trains_it() -> None:
    assert parent_warning(study(0.031), "nas_head").endswith(
        "train it longer in study nas_head: -o parent.recipe.epochs=48 --new; then --retarget again"
    )
    given = [replace(study(0.031)[0], rungs=(), recipe={}), study(0.031)[1]]
    assert parent_warning(given, "nas_head").endswith("it was given trained: train it longer before the search")


@pytest.mark.parametrize(
    "heights, grown, epochs",
    [
        ([0.0, 0.5], 0.0, 0),  # one epoch: nothing to compare
        ([0.0, 0.1, 0.3], 0.2, 1),
        ([0.0, *[0.1 * epoch for epoch in range(1, 6)]], 0.1, 1),
        ([0.0, *[0.4, 0.42] * 10], 0.0, 4),  # noise, no growth: by a fitted line
    ],
)
def test_the_last_fifth_is_compared(heights: Sequence[float], grown: float, epochs: int) -> None:
    found, over = climb(curve(lambda epoch: heights[epoch], len(heights) - 1))
    assert found == pytest.approx(grown, abs=0.006)
    assert over == epochs


def test_the_remarks_are_the_noise_and_the_warning() -> None:
    records = [*study(0.05), repeated(named("trial 7"), 0.002)]
    records[-1] = repeated(records[1], 0.002)
    noise, warning = training_remarks(records)
    assert noise.startswith("two trainings of trial 7 differ by 0.002: differences below 0.005 mean nothing")
    assert warning.startswith("warning: the parent is not trained to its end")
    assert training_remarks(study(-0.1)) == ()
