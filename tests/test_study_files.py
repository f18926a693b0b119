"""The studies that come with the project are whole, explained, and fit each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.study import load_study
from search.study_cuts import ChannelsSection, GraftSection
from tests.tree import ROOT

FILES = sorted((ROOT / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_study_is_accepted_and_says_in_one_sentence_what_it_asks(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem
    assert study.description.endswith(".")
    assert study.n_trials >= 8, "a front needs a few members"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_study_begins_with_the_question_and_the_command_that_answers_it(path: Path) -> None:
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert comment[0].endswith("?")
    assert any(f"python -m search.run --study {path.stem}" in line for line in comment)


def test_the_two_spaces_each_have_a_study() -> None:
    assert isinstance(load_study("nas_head").space, GraftSection)
    assert isinstance(load_study("channel_ratio").space, ChannelsSection)


def test_both_studies_train_the_same_parent_so_that_it_is_trained_once() -> None:
    one, other = load_study("nas_head").as_plain(), load_study("channel_ratio").as_plain()
    assert (one["parent"], one["data"], one["seed"]) == (other["parent"], other["data"], other["seed"])


def test_the_donors_are_the_rounds_of_iterative_pruning() -> None:
    donors = load_study("nas_head").donors
    assert [(donor.name, donor.source) for donor in donors] == [
        ("one-shot", "parent"),
        ("round-2", "one-shot"),
        ("round-3", "round-2"),
    ]


def test_the_digits_own_settings_do_not_stand_in_the_studies() -> None:
    """They belong to the data set; a user's data must not inherit them."""
    for path in FILES:
        study = load_study(path)
        assert study.data.imgsz is None
        for name in ("mosaic", "fliplr", "flipud", "degrees", "hsv_h"):
            assert name not in {**study.recipe.fixed, **study.parent.recipe.fixed}
