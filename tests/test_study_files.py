"""The studies that come with the project are whole, explained, and fit each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.study.definition import load_study
from search.study.spaces.channels import ChannelsSection
from search.study.spaces.graft import GraftSection
from tests.tree import ROOT

FILES = sorted((ROOT / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_study_is_accepted_and_says_in_one_sentence_what_it_asks(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem
    assert study.description.endswith(".")
    if study.n_trials:
        assert study.n_trials >= 8, "a front needs a few members"
    else:
        assert len(study.donors) + len(study.controls) >= 3, "what is done by hand is compared"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_study_begins_with_the_question_and_the_command_that_answers_it(path: Path) -> None:
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert comment[0].endswith("?")
    assert any(f"yolofront run --study {path.stem}" in line for line in comment)


def test_the_two_spaces_each_have_a_study() -> None:
    assert isinstance(load_study("nas_head").space, GraftSection)
    assert isinstance(load_study("channel_ratio").space, ChannelsSection)


@pytest.mark.parametrize("overrides", [[], ["scale=0.1"]])
def test_rounds_by_taylor_scores_are_trained_as_long_as_those_by_sparsity(overrides: list[str]) -> None:
    """Otherwise the comparison of the two would be one of budgets."""
    taylor, sparsity = load_study("taylor_rounds", overrides), load_study("imp", overrides)
    assert taylor.parent == sparsity.parent
    epochs = [
        int(recipe["epochs"])
        for row in sparsity.donors
        for recipe in (sparsity.sparse_recipe_of(row), sparsity.recipe_of(row))
    ]
    assert sum(int(taylor.recipe_of(row)["epochs"]) for row in taylor.donors) == sum(epochs)
    assert {(row.cut, row.criterion) for row in taylor.donors} == {("global", "taylor")}


@pytest.mark.parametrize(
    "studies", [("imp", "taylor_rounds", "nas_head", "nas_distill"), ("channel_ratio", "combined", "baseline")]
)
def test_studies_of_one_parent_train_it_alike_so_that_it_is_trained_once(studies: tuple[str, ...]) -> None:
    first, *others = (load_study(name) for name in studies)
    for other in others:
        assert first.parent == other.parent
        assert (first.data, first.seed) == (other.data, other.seed)


@pytest.mark.parametrize("overrides", [[], ["scale=0.1"]])
@pytest.mark.parametrize("name", ["nas_head", "nas_distill"])
def test_the_rounds_by_hand_are_trained_alike_so_that_they_are_trained_once(name: str, overrides: list[str]) -> None:
    by_hand, study = load_study("imp", overrides), load_study(name, overrides)
    rounds = {row.name for row in by_hand.donors}
    assert by_hand.donors == tuple(row for row in (*study.donors, *study.controls) if row.name in rounds)
    assert by_hand.space.multiple == study.space.multiple
    for row in by_hand.donors:
        assert study.recipe_of(row) == by_hand.recipe_of(row)
        assert study.sparse_recipe_of(row) == by_hand.sparse_recipe_of(row)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_searched_stands_on_taylor_scores(path: Path) -> None:
    study = load_study(path)
    if isinstance(study.space, GraftSection | ChannelsSection) and study.n_trials:
        assert study.space.order_criterion == "taylor"
        assert study.inherit


def test_the_digits_own_settings_do_not_stand_in_the_studies() -> None:
    """They belong to the data set; a user's data must not inherit them."""
    for path in FILES:
        study = load_study(path)
        assert study.data.imgsz is None
        for name in ("mosaic", "fliplr", "flipud", "degrees", "hsv_h"):
            assert name not in {**study.recipe.fixed, **study.parent.recipe.fixed}


def test_the_rounds_by_hand_are_cut_at_a_threshold_after_training_with_sparsity() -> None:
    study = load_study("imp")
    assert [(row.name, row.sources) for row in study.donors] == [
        ("one-shot", ("parent",)),
        ("round-2", ("one-shot",)),
        ("round-3", ("round-2",)),
    ]
    for row in study.donors:
        assert (row.cut, row.threshold, row.names) == ("threshold", 0.01, (row.name, f"{row.name}-f1"))


def test_sizes_are_cut_alike_at_three_levels() -> None:
    rows = {row.name: row for row in load_study("prune_levels").controls}
    for size, source in (("n", "parent"), ("s", "s"), ("m", "m")):
        assert [(rows[f"{size}-{cut}"].source, rows[f"{size}-{cut}"].ratio) for cut in (30, 60, 90)] == [
            (source, 0.7),
            (source, 0.4),
            (source, 0.1),
        ]


def test_the_hand_made_graft_is_the_same_in_the_search_and_in_its_distillation() -> None:
    one, other = load_study("nas_head"), load_study("nas_distill")
    graft = {row.name: row.graft for row in one.controls}["nas_final"]
    assert graft is not None and (graft.backbone, graft.head) == ("round-2", "round-3")
    assert [row.graft for row in other.controls] == [graft, graft]
    assert [row.recipe.fixed.get("distill") for row in other.controls] == [None, 6.0]
