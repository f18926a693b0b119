"""How a front grew, and what trials cost."""

from __future__ import annotations

from dataclasses import replace

from search.findings.training_effort import effort_text, hypervolume_history, training_effort
from search.record.trial import Outcome
from tests.search.plausible import plausible_study


def test_the_last_point_counts_all_trials_and_their_training() -> None:
    study = plausible_study(trials=20)
    trials = [record for record in study.records if not record.is_reference]
    grown = hypervolume_history(study.records, study.fronts)
    assert [each.hypervolume for each in grown] == sorted(each.hypervolume for each in grown)
    assert [each.training_s for each in grown] == sorted(each.training_s for each in grown)
    last = grown[-1]
    assert last.trials == sum(record.outcome is not Outcome.DUPLICATE for record in trials)
    assert last.training_s == sum(record.seconds["training"] for record in trials)
    assert last.hypervolume == study.fronts[-1].hypervolume


def test_reference_rows_alone_have_trained_for_nothing() -> None:
    study = plausible_study(trials=20)
    grown = hypervolume_history(study.records, study.fronts)
    assert (grown[0].trials, grown[0].training_s) == (0, 0.0)
    assert hypervolume_history(study.records, ()) == ()


def test_what_was_stopped_is_counted_as_spared() -> None:
    study = plausible_study(trials=20)
    complete = next(r for r in study.records if r.outcome is Outcome.COMPLETE and not r.is_reference)
    stopped = replace(
        complete, outcome=Outcome.STOPPED, recipe={"epochs": 10}, rungs=complete.rungs[:3], seconds={"training": 8.0}
    )
    assert stopped.rungs[-1].epoch == 2
    found = training_effort([stopped, replace(complete, seconds={"training": 20.0}, recipe={"epochs": 3})])
    assert (found.epochs, found.spared_epochs, found.training_s) == (2 + complete.rungs[-1].epoch, 8, 28.0)
    text = effort_text(found)
    assert text == "1 complete, 1 stopped early; 5 epochs trained in 28 s, 8 spared by stopping"


def test_a_study_without_trials_has_cost_nothing() -> None:
    assert effort_text(training_effort([])) == "none yet"
