"""`-o key=value`: what it reaches, what it makes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from search.study.faults import DefinitionError
from search.study.options import apply_overrides

PLAIN: dict[str, Any] = {
    "parent": {"weights": None},
    "donors": [{"name": "one-shot", "ratio": 0.7}, {"name": "round-2", "ratio": 0.8}],
    "controls": [{"name": "uniform-0.5", "ratio": 0.5}],
    "recipe": {"epochs": 3},
}


def overridden(*overrides: str) -> dict[str, Any]:
    return apply_overrides(PLAIN, overrides)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("1e-4", 1e-4),
        ("null", None),
        ("", None),
        ("true", True),
        ("yolov8s.yaml", "yolov8s.yaml"),
        ("a=b", "a=b"),
        ("[1, 2]", [1, 2]),
        ("{low: 1e-4, high: 1e-2, log: true}", {"low": 1e-4, "high": 1e-2, "log": True}),
    ],
)
def test_a_value_is_yaml(text: str, value: object) -> None:
    assert overridden(f"recipe.epochs={text}")["recipe"]["epochs"] == value


def test_entries_of_a_list_are_reached_by_position_and_by_name() -> None:
    assert overridden("donors.1.ratio=0.6")["donors"][1]["ratio"] == 0.6
    assert overridden("donors.round-2.ratio=0.6")["donors"][1]["ratio"] == 0.6
    assert overridden("donors.one-shot.recipe.epochs=9")["donors"][0]["recipe"] == {"epochs": 9}


def test_a_name_may_have_a_dot_in_it() -> None:
    assert overridden("controls.uniform-0.5.ratio=0.4")["controls"][0]["ratio"] == 0.4


def test_a_whole_entry_can_be_replaced() -> None:
    assert overridden("controls.0={name: a}")["controls"] == [{"name": "a"}]


def test_sections_that_are_not_there_are_made() -> None:
    assert overridden("sampler.name=gp")["sampler"] == {"name": "gp"}
    assert overridden("parent.weights.path=x")["parent"]["weights"] == {"path": "x"}


def test_the_last_one_wins_and_the_original_is_left_alone() -> None:
    assert overridden("recipe.epochs=4", "recipe.epochs=5")["recipe"]["epochs"] == 5
    assert PLAIN["recipe"] == {"epochs": 3}
    overridden("donors.0.ratio=0.1")
    assert PLAIN["donors"][0]["ratio"] == 0.7


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("recipe.epochs", "is not key=value"),
        ("=5", "is not key=value"),
        ("recipe..epochs=5", "the key has an empty part"),
        ("recipe.epochs.low=5", "recipe.epochs is 3, which has no parts; set -o recipe.epochs=... whole"),
        ("donors.2.ratio=1", "there is no entry '2'; entries are 0 (one-shot), 1 (round-2)"),
        ("donors.oneshot.ratio=1", "there is no entry 'oneshot'"),
        ("recipe.epochs=[1", "-o recipe.epochs:"),
        ("recipe.epochs={a: 1, a: 2}", "key 'a' stands twice"),
        ("recipe.epochs=!!python/name:os.system", "could not determine a constructor"),
    ],
)
def test_an_override_that_leads_nowhere_is_refused_in_words(override: str, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        overridden(override)
    assert words in str(caught.value)
