"""A budget in a study's YAML or on the command line."""

from __future__ import annotations

import pytest

from search.study.budget import Budget, parse_budget
from search.study.definition import load_study
from search.study.faults import DefinitionError, FieldFault


@pytest.mark.parametrize(
    "text, budget",
    [
        ("300epochs", Budget(epochs=300)),
        ("1 epoch", Budget(epochs=1)),
        ("2h", Budget(seconds=7200.0)),
        ("1h30m", Budget(seconds=5400.0)),
        ("0.5h", Budget(seconds=1800.0)),
    ],
)
def test_it_counts_epochs_or_time(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget
    assert budget.total == (budget.epochs or budget.seconds)


@pytest.mark.parametrize("text", ["", "300", "0epochs", "0h", "epochs", "-3h", "3 weeks", "1.5epochs"])
def test_anything_else_is_refused_with_what_is_right(text: str) -> None:
    with pytest.raises(FieldFault, match=r"write 300epochs, or a time such as 2h or 1h30m"):
        parse_budget(text)


def test_a_study_may_have_another_budget_when_it_is_continued() -> None:
    study = load_study("nas_head", budget="300epochs")
    assert study.budget == "300epochs"
    assert study.as_plain() == load_study("nas_head", ["budget=2h"]).as_plain()
    with pytest.raises(DefinitionError, match=r"budget is '12'; write 300epochs"):
        load_study("nas_head", budget="12")
