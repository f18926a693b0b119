"""Rows that are no trials of the study may be finalists too: donors, and trials that were copied from another study."""

from __future__ import annotations

from dataclasses import replace

from search.record.copied import named_with_study
from tests.search.sampler.problem import Problem
from tests.search.sampler.test_budgeted import BANDS, CHOOSER
from tests.search.work.quick_trials import _score


def test_a_donor_of_the_band_may_be_its_finalist(problem: Problem) -> None:
    trial = problem.record(0, dict.fromkeys(problem.plan.parameters, 0.5))
    donor = replace(trial, number=None, name="by hand", evaluations=(_score(0.9),))
    band = next(each for each in range(9) if BANDS.of(each)[0] < problem.latency_ms(trial.params) <= BANDS.of(each)[1])
    chooser = replace(CHOOSER, donors=frozenset({"by hand"}), point_of=lambda row: trial.params)
    step = chooser.best_of_band([donor], band, 9)
    assert step is not None and (step.record, step.params) == (donor, trial.params)
    assert CHOOSER.best_of_band([donor], band, 9) is None, "a control is none"
    assert replace(chooser, point_of=lambda row: None).best_of_band([donor], band, 9) is None


def test_copied_trials_of_another_study_are_trained_further_too(problem: Problem) -> None:
    trials = [problem.record(number, dict.fromkeys(problem.plan.parameters, share)) for number, share in
              enumerate((0.25, 0.5, 0.875))]  # fmt: skip
    rows = [replace(named_with_study(each, "same"), number=None, seconds={"training": 3.0}) for each in trials]
    found = [CHOOSER.best_of_band(rows, band, 9) for band in range(6)]
    assert {step.record.name for step in found if step} == {row.name for row in rows}
    assert all(step.params == step.record.params for step in found if step)
    controls = [replace(row, name=f"control {row.spec}") for row in rows]
    assert not any(CHOOSER.best_of_band(controls, band, 9) for band in range(6))
