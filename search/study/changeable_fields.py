"""Fields of a study that may change while it goes on: how much is searched, and when a worker counts as hung."""

from __future__ import annotations

from pydantic import Field, field_validator

from search.study.budget import parse_budget, parse_duration
from search.study.faults import FieldFault
from search.study.sections import Section


class ChangeableFields(Section):
    """Fields of a study that do not distinguish it from others.

    Attributes:
        n_trials: Total of finished, stopped and ruled-out trials.
        budget: Instead of `n_trials`: epochs (`300epochs`) or time of work (`2h`) for donors, trials and finalists
            together.
        hung_after: Time without progress (`20m`) after which a worker is ended and replaced; null for ten times its
            slowest step, at least ten minutes.
    """

    n_trials: int = Field(default=10, ge=0)
    budget: str | None = None
    hung_after: str | None = None

    @field_validator("budget")
    @classmethod
    def _is_budget(cls, budget: str | None) -> str | None:
        if budget is not None:
            parse_budget(budget)
        return budget

    @field_validator("hung_after")
    @classmethod
    def _is_time(cls, hung_after: str | None) -> str | None:
        if hung_after is not None and not parse_duration(hung_after):
            raise FieldFault("", f"is '{hung_after}'; write 20m, 1h30m or a number of seconds")
        return hung_after

    @property
    def hung_after_s(self) -> float | None:
        """The seconds of `hung_after`."""
        return None if self.hung_after is None else parse_duration(self.hung_after)
