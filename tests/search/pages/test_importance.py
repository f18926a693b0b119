"""The parameters that matter: what explains the objective comes first, and few trials tell nothing."""

from __future__ import annotations

from dataclasses import replace

from search.pages.importance import FEWEST_TRIALS, importances
from search.record.trial import Outcome, TrialRecord
from tests.search.plausible import plausible_study

COMPLETE = [
    each
    for each in plausible_study(trials=60).records
    if not each.is_reference and each.outcome is Outcome.COMPLETE and each.evaluations
]


def of_accuracy(kept: int) -> list[TrialRecord]:
    """Trials whose `cause` follows their accuracy, and whose `chance` does not."""
    ranked = sorted(COMPLETE, key=lambda each: each.value("map50_95") or 0.0)[:kept]
    return [
        replace(each, params={"cause": place * 0.01, "chance": "ab"[place % 2], "same": 3, "cut.share_below": place})
        for place, each in enumerate(ranked)
    ]


def test_what_explains_the_accuracy_comes_first() -> None:
    found = importances(of_accuracy(len(COMPLETE)), "map50_95")
    assert found[0].parameter == "cause" and found[0].share > 0.7
    assert all(each.share < 0.2 for each in found[1:])
    assert {each.parameter for each in found} <= {"cause", "chance"}


def test_few_trials_tell_nothing() -> None:
    assert importances(of_accuracy(FEWEST_TRIALS - 1), "map50_95") == ()
    assert importances(of_accuracy(FEWEST_TRIALS), "map50_95") != ()
