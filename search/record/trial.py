"""What is kept of a trial: its outcome, its figures, its learning curve, where its weights lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from objectives.base import EpochResult, Evaluation, Measurement
from objectives.quantities import VAL, quantity_named
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
        measurements: All quantities that are not in an `Evaluation`: cost, latency, and those a study asks for.
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

    def evaluation(self, split: str = VAL) -> Evaluation | None:
        """The accuracy on that split, if it was measured."""
        return next((e for e in self.evaluations if e.split == split), None)

    def value(self, name: str, split: str = VAL) -> float | None:
        """Return the value of a quantity; None if it was not measured.

        Args:
            name: A quantity of `objectives.quantities`, or one on a further target: `latency_ms.openvino-cpu`.
            split: Of a quantity that depends on data.

        Raises:
            KeyError: If there is no such quantity.
        """
        quantity = quantity_named(name)
        if quantity.in_evaluation:
            accuracy = self.evaluation(split)
            return None if accuracy is None else float(getattr(accuracy, name))
        found = self.measurement(quantity.of_split(split) if name == quantity.name else name)
        return None if found is None else found.value
