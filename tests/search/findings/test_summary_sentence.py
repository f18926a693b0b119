"""The sentence about a study: its search against the networks made by hand, on records that are made up."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from objectives.base import Measurement
from search.findings.study_results import StudyResults
from search.findings.summary_sentence import search_epochs, summary_sentence
from search.pages.study_report import print_study_results, write_report
from search.record.ancestors import Ancestor
from search.record.confirmed_study import ConfirmedStudy
from search.record.trial import Outcome, TrialRecord
from search.store.sql import open_store
from tests.search.plausible import Plausible, plausible_evaluation, plausible_record, plausible_study, store_study

DEFINITION: dict[str, Any] = {
    "donors": [
        {"name": "taylor-1", "from": "parent", "cut": "global"},
        {"name": "taylor-2", "from": "taylor-1", "cut": "global"},
    ],
    "controls": [{"name": "uniform-0.5", "from": "parent", "cut": "uniform"}],
}


def row(
    name: str, val: float, ms: float | None, test: float | None = None, *, half: float = 0.0, **more: Any
) -> TrialRecord:
    """A trial or a reference row with these figures; a trial has 5 epochs, the parent 24, another row 4."""
    number = int(name.split()[-1]) if name.split()[0] == "trial" and name[-1].isdigit() else None
    evaluations = [plausible_evaluation("val", val)]
    evaluations += [] if test is None else [plausible_evaluation("test", test)]
    latency = [] if ms is None else [Measurement("latency_ms", ms, "ms", low=ms - half, high=ms + half, runs=9)]
    epochs = 24 if name == "parent" else 4 if number is None else 5
    record = plausible_record(name, number, 0.5, random.Random(0))
    plain = replace(record, recipe={"epochs": epochs}, evaluations=tuple(evaluations), measurements=tuple(latency))
    return replace(plain, constraints={}, checkpoint=f"{name} weights", **more)


PARENT = row("parent", 0.93, 4.0, 0.90)
BY_HAND = [
    row("taylor-1", 0.91, 3.0, 0.88),
    row("taylor-2", 0.89, 2.0, 0.87, ancestors=(Ancestor("taylor-1", "taylor-1 weights", 4),)),
    row("uniform-0.5", 0.85, 1.9, 0.84),
]
TRIALS = [row("trial 0", 0.90, 3.1, 0.86), row("trial 1", 0.918, 1.95, 0.90), row("trial 2", 0.95, 3.9, 0.93)]


def repeated(trial: TrialRecord, difference: float) -> TrialRecord:
    accuracy = (trial.value("map50_95") or 0.0) + difference
    return replace(
        trial, number=None, name=f"{trial.name} repeated", evaluations=(plausible_evaluation("val", accuracy),)
    )


def sentence(*records: TrialRecord, **definition: Any) -> str:
    return summary_sentence([PARENT, *records], {**DEFINITION, **definition})


def test_a_search_that_wins_says_by_how_much_and_what_it_cost() -> None:
    assert sentence(*BY_HAND, *TRIALS, repeated(TRIALS[1], 0.003)) == (
        "at 2.0x the parent's speed: search 0.918 (trial 1), best by hand 0.890 (taylor-2), uniform 0.850 "
        "(uniform-0.5): the search is 0.028 above the best by hand; test: search +0.030; two trainings differ "
        "by 0.003, so differences below 0.01 are a tie; the search cost 1.0 trainings of the parent, taylor-2 cost "
        "0.3; at all 3 speeds by hand: 2 better, 1 worse"
    )


def test_a_search_that_loses_says_so() -> None:
    text = sentence(*BY_HAND, row("trial 1", 0.878, 1.95, 0.85))
    assert "the search is 0.012 below the best by hand; test: search -0.020; differences below 0.01 are a tie; " in text
    assert text.endswith("at all 3 speeds by hand: 3 worse")


def test_differences_below_the_noise_are_a_tie_on_each_split() -> None:
    close = row("trial 1", 0.894, 1.95, 0.875)
    text = sentence(*BY_HAND, close)
    assert "best by hand 0.890 (taylor-2), uniform 0.850 (uniform-0.5): a tie; test: a tie (+0.005); " in text
    assert "at all 3 speeds by hand: 2 ties, 1 worse" in text
    precise = sentence(*BY_HAND, close, repeated(close, 0.001))
    assert "the search is 0.004" not in precise, "0.005 is the least that means something"
    assert "two trainings differ by 0.001, so differences below 0.005 are a tie" in precise


def test_where_accuracies_tie_the_search_may_be_faster() -> None:
    slim = row("trial 3", 0.892, 1.5, 0.87)
    assert "; as accurate as taylor-2 at 2.7x: 0.892 (trial 3); " in sentence(*BY_HAND, *TRIALS, slim)
    assert "as accurate as" not in sentence(*BY_HAND, TRIALS[1]), "two latencies that hardly differ"
    assert "as accurate as" not in sentence(*BY_HAND, row("trial 3", 0.889, 1.5)), "less accurate"


def test_without_a_test_split_the_sentence_says_that_only_val_is_known() -> None:
    text = sentence(row("taylor-2", 0.89, 2.0), row("trial 1", 0.918, 1.95))
    assert "0.028 above the best by hand; only val was scored, where both were chosen; " in text
    assert "test:" not in text


def test_nothing_is_said_without_rows_by_hand_or_trials_or_latencies() -> None:
    assert sentence(*TRIALS) == ""
    assert sentence(*BY_HAND) == ""
    assert sentence(row("taylor-2", 0.89, None), *TRIALS) == ""
    assert sentence(*BY_HAND, row("trial 1", 0.918, None)) == ""
    assert summary_sentence([], DEFINITION) == ""


def test_without_the_parents_latency_the_speed_is_in_ms() -> None:
    records = [row("parent", 0.93, None), *BY_HAND[1:], *TRIALS]
    assert summary_sentence(records, DEFINITION).startswith("at 2.00 ms: search 0.918 (trial 1), best by hand 0.890")


def test_a_predicted_latency_is_no_figure() -> None:
    guess = replace(TRIALS[1], measurements=(Measurement("latency_ms", 1.0, "ms", predicted=True),))
    assert sentence(*BY_HAND, guess) == ""


def test_a_search_without_a_network_that_fast_is_worse() -> None:
    text = sentence(*BY_HAND, TRIALS[2])
    assert text.startswith(
        "at 2.0x the parent's speed: no network of the search is as fast; best by hand 0.890 (taylor-2)"
    )
    assert text.endswith("at all 3 speeds by hand: 3 worse")


def test_the_speed_is_chosen_by_hand_alone_and_a_latency_within_the_interval_is_no_slower() -> None:
    slow = [row("taylor-1", 0.91, 3.0), row("taylor-2", 0.89, 2.8)]
    assert sentence(*slow, *TRIALS).startswith("at 1.4x the parent's speed: search 0.918 (trial 1)"), "none has 1.5x"
    assert "no network of the search is as fast" in sentence(row("taylor-2", 0.89, 1.9), *TRIALS)
    assert "search 0.918 (trial 1)" in sentence(row("taylor-2", 0.89, 1.9, half=0.06), *TRIALS)


def test_a_uniform_row_that_is_slower_is_named_with_its_own_speed() -> None:
    slow = row("uniform-0.5", 0.8, 2.5)
    assert "best by hand 0.890 (taylor-2), uniform 0.800 (uniform-0.5) at 1.6x: " in sentence(BY_HAND[1], slow, *TRIALS)


def test_what_did_not_complete_or_misses_a_limit_is_no_rival() -> None:
    above = replace(row("taylor-9", 0.99, 1.8), constraints={"latency_ms": 0.1})
    stopped = replace(row("trial 8", 0.99, 1.0), outcome=Outcome.STOPPED)
    assert sentence(*BY_HAND, *TRIALS, above, stopped).startswith(sentence(*BY_HAND, *TRIALS).partition("; test")[0])


def test_a_polished_network_belongs_to_whoever_made_it() -> None:
    trial = row("trial 1 polished", 0.93, 1.95)
    hand = row("taylor-2 polished", 0.92, 2.0)
    assert "search 0.930 (trial 1 polished), best by hand 0.920 (taylor-2 polished)" in sentence(
        *BY_HAND, *TRIALS, trial, hand
    )


def test_donors_are_counted_once_and_controls_and_repeated_trainings_are_not() -> None:
    records = [PARENT, *BY_HAND, row("taylor-2-f1", 0.88, 2.0), *TRIALS, repeated(TRIALS[0], 0.0)]
    assert search_epochs(records, ("taylor-1", "taylor-2")) == 8 + 15
    lent = (Ancestor("uniform-0.5", "u", 4), Ancestor("other/trial 3", "o", 7), Ancestor("trial 0", "t", 5))
    assert search_epochs([*records, row("trial 3", 0.9, 2.0, ancestors=lent)], ("taylor-1", "taylor-2")) == 23 + 5 + 11
    given = [replace(PARENT, recipe={}), *records[1:]]
    assert "; the search cost 23 epochs, taylor-2 cost 8; " in summary_sentence(given, DEFINITION)


def test_a_second_target_counts_its_own_epochs() -> None:
    copied = row("nas_head/trial 1", 0.918, 1.95, 0.90)
    text = sentence(*BY_HAND, copied, row("trial 0", 0.7, 1.0, 0.7), copied_from="nas_head")
    assert "search 0.918 (nas_head/trial 1), best by hand 0.890 (taylor-2)" in text
    assert "; 5 epochs were trained for this target, the rest in nas_head; " in text


@pytest.fixture
def study() -> Plausible:
    found = plausible_study()
    return replace(found, study=replace(found.study, definition={**found.study.definition, **DEFINITION}))


def test_networks_are_compared_by_the_latencies_that_count_now(study: Plausible) -> None:
    """The same ones as in the table: those of the race, and of all others what follows from it."""
    slower = tuple(
        replace(each, measurements=tuple(replace(m, value=2 * m.value, high=None) for m in each.measurements))
        for each in study.records
    )
    found = StudyResults(study.study, slower, study.fronts, confirmed=ConfirmedStudy(slower, ()))
    assert found.summary == summary_sentence(slower, study.study.definition)


def test_terminal_page_and_markdown_have_it(
    study: Plausible, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store("sqlite://")
    entry = store_study(store, study)
    expected = summary_sentence(study.records, study.study.definition)
    assert expected
    print_study_results(store, entry)
    assert " ".join(capsys.readouterr().out.split()).endswith(expected)
    page, _, table, _ = write_report(store, entry, tmp_path)
    assert f"\n\n{expected}\n\n" in table.read_text()
    assert '<p class="summary">At ' in page.read_text()
    store.close()
