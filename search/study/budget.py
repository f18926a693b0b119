"""The budget of a study: how much training, or how much time of its workers, it may spend in all."""

from __future__ import annotations

import re
from dataclasses import dataclass

from search.study.faults import FieldFault

SECONDS_OF_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds of each unit of time."""


@dataclass(frozen=True)
class Budget:
    """A number of epochs, or of seconds of work, for donors, trials and finalists together; one of the two is set.

    Attributes:
        epochs: Epochs of training.
        seconds: Seconds of work, summed over the workers: two workers spend two hours in one.
    """

    epochs: int | None = None
    seconds: float | None = None

    @property
    def total(self) -> float:
        """The amount, in epochs or in seconds."""
        return float(self.epochs or self.seconds or 0.0)


def parse_budget(text: str) -> Budget:
    """Return the budget that a text such as `300epochs` or `2h` stands for.

    Raises:
        FieldFault: If it is neither.
    """
    epochs = re.fullmatch(r"(\d+) ?(?:epochs?|e)", text.strip())
    if epochs and int(epochs[1]):
        return Budget(epochs=int(epochs[1]))
    seconds = None if text.strip().isdigit() else parse_duration(text.strip())
    if not seconds:
        raise FieldFault("", f"is '{text}'; write 300epochs, or a time such as 2h or 1h30m")
    return Budget(seconds=seconds)


def repeats_in_all(budget: str | None, asked: int | None) -> int:
    """Return the number of trials that a study trains once more; by default 1 if it has a budget, else 0.

    Args:
        asked: The number on the command line.
    """
    return int(budget is not None) if asked is None else asked


def parse_duration(text: str) -> float | None:
    """Return the seconds of `8h`, `90m`, `1h30m`, `45s`, `2d` or a plain number of seconds; None if it is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    if len(parts) > 1 and any(not unit for _, unit in parts):
        return None
    return sum(float(number) * SECONDS_OF_UNIT[unit or "s"] for number, unit in parts)
