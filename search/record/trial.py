"""The record of a trial: its outcome, its figures, its learning curve, and the hash of its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from objectives.base import EpochResult, Evaluation, Measurement
from objectives.quantities import MAP50_95, OWN_ACCURACIES, VAL, Quantity, quantity_named
from search.record.ancestors import Ancestor
from spaces.base import ArchSpec, Origin, ParamValue

POLISHED = " polished"
"""End of the name of a row whose network was trained further from another record's."""
REPEATED = " repeated"
"""End of the name of a row that is a trial's training once more, from the same start with another seed."""
COPIED = "/trial "
"""Part of the name of a row that was a trial of another study: `nas_head/trial 7`."""


class Outcome(StrEnum):
    """Ending of a trial. Every outcome except `COMPLETE` has a reason."""

    COMPLETE = "complete"
    STOPPED = "stopped"  # at a rung
    RULED_OUT = "ruled_out"  # before training: over a limit, or not buildable
    FAILED = "failed"  # NaN, out of memory, its workers died
    DUPLICATE = "duplicate"  # equal architecture, origin, recipe and seed


@dataclass(frozen=True)
class TrialRecord:
    """One finished trial or reference row. Never changed once stored.

    Attributes:
        number: Trial number, the same as Optuna's; None for a reference row.
        name: A reference row's name (`parent`, `one-shot`, `uniform-0.5`); `trial 12` otherwise.
        identity: Hash of architecture, origin, recipe and seed: what makes two trials equal.
        rungs: The learning curve, one entry for each scored epoch.
        recipe: The training recipe as plain values; empty if nothing was trained.
        measurements: All quantities that are not in an `Evaluation`: cost, latency, and those a study asks for.
        constraints: Excess over each limit in the limit's unit: above 0 where it was missed, else at most 0.
        checkpoint: Content hash of the saved weights; None if nothing was saved.
        lineage: Name of the record that its network was made from, or whose weights it began with; None for a parent,
            and for a trial that began with the weights that its space names.
        ancestors: Networks that its weights were trained as before, the oldest first.
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
    ancestors: tuple[Ancestor, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    started: datetime | None = None  # timezone-aware, UTC
    finished: datetime | None = None

    @property
    def is_reference(self) -> bool:
        """True if this is a reference row: parent, donor or control, made outside the search."""
        return self.number is None

    @property
    def is_polished(self) -> bool:
        """True if this is another record's network, trained further after the search."""
        return self.is_reference and self.name.endswith(POLISHED)

    @property
    def is_repeated(self) -> bool:
        """True for a second training of a trial, which measures the noise of training and is never recommended."""
        return self.is_reference and self.name.endswith(REPEATED)

    @property
    def is_copied(self) -> bool:
        """True for a trial of another study: its accuracy is copied, its latency measured on this study's target."""
        return self.is_reference and COPIED in self.name and not (self.is_polished or self.is_repeated)

    @property
    def is_beside_trials(self) -> bool:
        """True for a reference row that is no copied trial: parent, donor, control, polished or repeated."""
        return self.is_reference and not self.is_copied

    @property
    def epochs(self) -> int:
        """Epochs that it was trained for, without those of its ancestors."""
        if self.outcome is Outcome.COMPLETE:
            return int(self.recipe.get("epochs", 0))
        return self.rungs[-1].epoch if self.rungs else 0

    @property
    def line_epochs(self) -> int:
        """Epochs of training since the parent: its own and those of its ancestors."""
        return self.epochs + sum(ancestor.epochs for ancestor in self.ancestors)

    @property
    def line(self) -> tuple[Ancestor, ...]:
        """The ancestors of a network that begins with its weights: its own, and itself if it was trained."""
        if self.checkpoint is None or not self.epochs:
            return self.ancestors
        return (*self.ancestors, Ancestor(self.name, self.checkpoint, self.epochs))

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
        """True if every limit is met."""
        return all(excess <= 0 for excess in self.constraints.values())

    def measurement(self, name: str) -> Measurement | None:
        """Return the measurement of that name; None if it was not taken."""
        return next((m for m in self.measurements if m.name == name), None)

    def evaluation(self, split: str = VAL) -> Evaluation | None:
        """Return the accuracy on that split; None if it was not measured."""
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


def trained_accuracy(records: Iterable[TrialRecord]) -> Quantity:
    """Return the accuracy that learning curves show and the best epoch is chosen by: the one of the networks' task.

    It is mAP50-95 of boxes where none of another task was measured.
    """
    measured = {each.name for record in records for each in record.measurements}
    return next((own[0] for own in OWN_ACCURACIES.values() if own[0].name in measured), MAP50_95)
