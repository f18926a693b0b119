"""A trial or reference row that has begun and has not ended: it has no outcome yet, and no record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from objectives.base import EpochResult, Evaluation, Measurement
from search.record.ancestors import Ancestor
from search.record.trial import Outcome, TrialRecord
from spaces.base import ArchSpec, Origin, ParamValue


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A trial or reference row before it ends. Each method that ends it returns the record.

    The fields mean the same as in `TrialRecord`. Nothing begins without a spec and an origin.
    """

    number: int | None
    name: str
    params: Mapping[str, ParamValue]
    spec: ArchSpec
    origin: Origin
    recipe: Mapping[str, ParamValue]
    identity: str
    seed: int
    started: datetime  # timezone-aware, UTC
    lineage: str | None = None
    ancestors: tuple[Ancestor, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    constraints: Mapping[str, float] = field(default_factory=dict)

    def with_start(
        self, *, origin: Origin, lineage: str | None, ancestors: tuple[Ancestor, ...], identity: str, seed: int
    ) -> Begun:
        """Return this with the weights that its training begins with, and the seed of that training."""
        return replace(self, origin=origin, lineage=lineage, ancestors=ancestors, identity=identity, seed=seed)

    def with_measurements(self, measurements: Sequence[Measurement], constraints: Mapping[str, float] = {}) -> Begun:
        """Return this with the measurements taken before the training, and the excess over each limit."""
        return replace(self, measurements=tuple(measurements), constraints=constraints)

    @property
    def feasible(self) -> bool:
        """True if every limit is met."""
        return all(excess <= 0 for excess in self.constraints.values())

    def value(self, name: str) -> float | None:
        """Return the value of the measurement of that name; None if it was not taken."""
        return next((each.value for each in self.measurements if each.name == name), None)

    def complete(
        self, *, checkpoint: str, evaluations: Sequence[Evaluation], curve: Sequence[EpochResult]
    ) -> TrialRecord:
        """Return the record of a network that was trained (if it has a recipe), saved and evaluated."""
        return self._record(
            Outcome.COMPLETE, "", checkpoint=checkpoint, evaluations=tuple(evaluations), rungs=tuple(curve)
        )

    def stopped(self, reason: str, curve: Sequence[EpochResult]) -> TrialRecord:
        """Return the record of a trial that a stopping rule ended."""
        return self._record(Outcome.STOPPED, reason, rungs=tuple(curve))

    def ruled_out(self, reason: str) -> TrialRecord:
        """Return the record of a candidate that is not trained: over a limit, or not buildable."""
        return self._record(Outcome.RULED_OUT, reason)

    def failed(self, reason: str, curve: Sequence[EpochResult] = ()) -> TrialRecord:
        """Return the record of a candidate that failed in its training or evaluation."""
        return self._record(Outcome.FAILED, reason, rungs=tuple(curve))

    def duplicate(self, of: str) -> TrialRecord:
        """Return the record of a trial that is equal to an earlier one.

        Args:
            of: Name of the earlier record.
        """
        return self._record(Outcome.DUPLICATE, f"duplicate of {of}")

    def _record(self, outcome: Outcome, reason: str, **results: Any) -> TrialRecord:
        return TrialRecord(
            number=self.number,
            name=self.name,
            outcome=outcome,
            reason=reason,
            params=self.params,
            spec=self.spec,
            origin=self.origin,
            identity=self.identity,
            recipe=self.recipe,
            seed=self.seed,
            measurements=self.measurements,
            constraints=self.constraints,
            lineage=self.lineage,
            ancestors=self.ancestors,
            started=self.started,
            **results,
        )
