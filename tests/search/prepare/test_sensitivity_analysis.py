"""The sensitivity analysis: whether a study measures it, and what it costs."""

from __future__ import annotations

import pytest

from search.prepare.sensitivity_analysis import fewest_epochs, is_cheap, wants_sensitivity
from search.study.definition import load_study
from spaces.base import Categorical, Integer, Parameter
from spaces.networks.parent import Parent
from tests.search.sampler.conftest import parent

__all__ = ["parent"]  # a fixture


def test_the_analysis_is_small_beside_the_training() -> None:
    halvings = 2 * 64 * 51
    assert is_cheap(halvings, trained_on=30 * 3 * 512)  # the built-in data, 30 trials of three epochs
    assert not is_cheap(halvings, trained_on=2 * 1 * 512)  # two trials of one
    assert not is_cheap(halvings, trained_on=0)


@pytest.mark.parametrize(
    ("searched", "fewest"),
    [({}, 3), ({"recipe.epochs": Integer(2, 6)}, 2), ({"recipe.epochs": Categorical((8, 4))}, 4)],
)
def test_the_minimum_counts_where_epochs_are_searched(searched: dict[str, Parameter], fewest: int) -> None:
    assert fewest_epochs(3, searched) == fewest


@pytest.mark.parametrize(
    ("study", "overrides", "n_trials", "wanted"),
    [
        ("channel_ratio", (), 30, True),
        ("channel_ratio", (), 1, False),  # trained on less than what would be looked at
        ("channel_ratio", ("sampler.name=tpe",), 30, False),
        ("channel_ratio", ("objectives={map50_95: maximize, flops_g: minimize}",), 30, False),
        ("baseline", (), 30, False),  # nothing is searched
    ],
)
def test_the_analysis_is_made_for_the_sampler_that_uses_it_if_it_is_cheap(
    parent: Parent, study: str, overrides: tuple[str, ...], n_trials: int, wanted: bool
) -> None:
    definition = load_study(study, overrides)
    assert wants_sensitivity(definition, parent, epochs=3, images=512, n_trials=n_trials) is wanted
