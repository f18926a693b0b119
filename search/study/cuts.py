"""Names of cuts and criteria, as a study's YAML spells them."""

from __future__ import annotations

from typing import Literal

from search.study.faults import FieldFault

Cut = Literal["uniform", "global", "slimming", "sensitivity"]
"""Rule for the number of channels that each group keeps; see `search.study.rows.RowSection`."""

Criterion = Literal["l1", "l2", "lamp", "taylor", "batchnorm", "random"]
"""Measure of the importance of a channel."""

OrderCriterion = Literal["l1", "l2", "lamp", "taylor", "batchnorm"]
"""Measure that a search may order channels by; random is for controls."""


COMPARABLE: tuple[Criterion, ...] = ("lamp", "taylor", "batchnorm")
"""Criteria whose scores can be compared between channel groups without normalization."""


def check_cut(cut: str, criterion: str) -> None:
    """Check that a cut can go by a criterion.

    Raises:
        FieldFault: If it cannot.
    """
    if cut == "slimming" and criterion != "batchnorm":
        raise FieldFault("criterion", f"is '{criterion}'; slimming ranks by BatchNorm's scales: batchnorm")
