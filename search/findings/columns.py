"""The columns of a study's tables: those that every study has, further targets, and quantities on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from objectives.base import Direction
from objectives.quantities import (
    BEST_F1,
    F1,
    FLOPS_G,
    LATENCY_MS,
    MAP50,
    MAP50_95,
    PRECISION,
    PRECISION_AT_BEST_F1,
    QUANTITIES,
    RECALL,
    RECALL_AT_BEST_F1,
    SHARE_PRUNED,
    SIZE_MIB,
    Quantity,
)
from search.record.latency_text import FURTHER, further_names
from search.record.number_text import WRITERS
from search.record.trial import TrialRecord


@dataclass(frozen=True)
class Column:
    """One column of figures.

    Attributes:
        key: Name of a quantity, or of a latency on a further target.
        title: Its heading, with the unit.
        better: The better direction; None if the best value is not marked.
        text: Function that writes one value.
        narrow: A shorter heading for a terminal; empty if the title is short enough.
    """

    key: str
    title: str
    better: Direction | None
    text: Callable[[float], str]
    narrow: str = ""

    @staticmethod
    def of(quantity: Quantity) -> Column:
        """Return the column of a quantity."""
        better = quantity.direction if quantity.mark_best else None
        return Column(quantity.name, quantity.title, better, WRITERS[quantity.digits], quantity.narrow)


MAP_COLUMNS = tuple(map(Column.of, (MAP50_95, MAP50)))
F1_COLUMNS = tuple(map(Column.of, (PRECISION, RECALL, F1)))
LATENCY_COLUMNS = tuple(map(Column.of, (FLOPS_G, LATENCY_MS)))
SIZE_COLUMNS = tuple(map(Column.of, (SHARE_PRUNED, SIZE_MIB)))
COLUMNS = (*MAP_COLUMNS, *F1_COLUMNS, *LATENCY_COLUMNS, *SIZE_COLUMNS)
"""The columns that every study has."""

AT_BEST_F1 = tuple(map(Column.of, (BEST_F1, PRECISION_AT_BEST_F1, RECALL_AT_BEST_F1)))
"""Precision, recall and F1 at the confidence with the best F1, for tables with room for both."""


def columns_of(records: Sequence[TrialRecord], *, at_best_f1: bool = False) -> tuple[Column, ...]:
    """Return the columns of a study's table: `COLUMNS`, and one for each further target and quantity on request.

    Args:
        at_best_f1: Whether `AT_BEST_F1` follows the figures at the study's confidence.
    """
    further = [
        Column(name, f"{name.removeprefix(FURTHER)}, ms", LATENCY_MS.direction, WRITERS[LATENCY_MS.digits])
        for name in further_names(records)
    ]
    requested = requested_quantities(records)
    accuracies = [Column.of(each) for each in requested if not each.before_training]
    costs = [Column.of(each) for each in requested if each.before_training]
    best = AT_BEST_F1 if at_best_f1 else ()
    return (*MAP_COLUMNS, *accuracies, *F1_COLUMNS, *best, *LATENCY_COLUMNS, *further, *SIZE_COLUMNS, *costs)


def requested_quantities(records: Sequence[TrialRecord]) -> tuple[Quantity, ...]:
    """Return the quantities on request that were measured of any of the records, in the order of the table."""
    measured = {each.name for record in records for each in record.measurements}
    return tuple(each for each in QUANTITIES.values() if each.on_request and each.name in measured)
