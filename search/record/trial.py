"""What is kept of a trial: its outcome, its figures, its learning curve, where its weights lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from objectives.base import EpochResult, Evaluation, Measurement
from spaces.base import ArchSpec, Origin, ParamValue

POLISHED = " polished"
"""Ends the name of a row that was trained on from another record."""


class Outcome(StrEnum):
    """How a trial ended. Every outcome but `COMPLETE` carries a reason."""

    COMPLETE = "complete"
    STOPPED = "stopped"  # at a rung
    RULED_OUT = "ruled_out"  # before training: too slow, would not build
    FAILED = "failed"  # NaN, out of memory, its workers died
    DUPLICATE = "duplicate"  # equal architecture, origin, recipe and seed


@dataclass(frozen=True)
class TrialRecord:
    """One finished trial or reference row. Never changed once stored.

    Attributes:
        number: Trial number, the same as Optuna's; None for a reference row.
        name: A reference row's name (`parent`, `one-shot`, `uniform-0.5`); `trial 12` otherwise.
        identity: Hash of architecture, origin, recipe and seed: what makes two trials equal.
        rungs: The learning curve, one entry an epoch that was scored.
        recipe: The training recipe as plain values; empty where nothing was trained.
        measurements: Cost and latency; accuracy is in `evaluations`.
        constraints: For each limit by how much it was missed (> 0) or met (<= 0), in the limit's unit.
        checkpoint: Content hash of the saved weights; None where nothing was saved.
        lineage: Name of the record this one was made from; None for a parent or a trial.
        seconds: Wall seconds by phase: build, latency, training, evaluation, database, other.
    """

    number: int | None
    name: str
    outcome: Outcome
    reason: str
    params: Mapping[str, ParamValue]
    spec: ArchSpec | None
    origin: Origin | None
    identity: str
    recipe: Mapping[str, ParamValue]
    seed: int
    measurements: tuple[Measurement, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    rungs: tuple[EpochResult, ...] = ()
    constraints: Mapping[str, float] = field(default_factory=dict)
    checkpoint: str | None = None
    lineage: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    started: datetime | None = None  # timezone-aware, UTC
    finished: datetime | None = None

    @property
    def is_reference(self) -> bool:
        """Whether this is a reference row: parent, donor or control, made outside the search."""
        return self.number is None

    @property
    def is_polished(self) -> bool:
        """Whether it is another record's network, trained for longer when the search was over."""
        return self.is_reference and self.name.endswith(POLISHED)

    @property
    def saved_checkpoint(self) -> str:
        """Content hash of the saved weights.

        Raises:
            ValueError: If nothing was saved.
        """
        if self.checkpoint is None:
            raise ValueError(f"'{self.name}' has no saved weights")
        return self.checkpoint

    @property
    def feasible(self) -> bool:
        """Whether every limit is met."""
        return all(excess <= 0 for excess in self.constraints.values())

    def measurement(self, name: str) -> Measurement | None:
        """The measurement of that name, if it was taken."""
        return next((m for m in self.measurements if m.name == name), None)

    def evaluation(self, split: str = "val") -> Evaluation | None:
        """The accuracy on that split, if it was measured."""
        return next((e for e in self.evaluations if e.split == split), None)

    def value(self, objective: str) -> float | None:
        """An objective's figure by name: a field of the val `Evaluation`, or a measurement."""
        accuracy = self.evaluation()
        if accuracy is not None and hasattr(accuracy, objective):
            return float(getattr(accuracy, objective))
        found = self.measurement(objective)
        return None if found is None else found.value
