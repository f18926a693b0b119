"""Entries of the database beside studies and trials: trained networks, targets, latencies, fronts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from objectives.base import Measurement
from search.record.trial import TrialRecord
from spaces.structure.shape import Shape


@dataclass(frozen=True, kw_only=True)
class TrainedEntry:
    """Network that was trained once and is found again: a parent, a donor or a control.

    Attributes:
        key: Hash of everything that made it (data, structure, recipe, what it was cut from).
        name: `parent`, `one-shot`, `round-2`, ...
        parent: Checkpoint hash of the parent it was cut from; its own for a parent.
        lineage: Key of the entry that a donor was made from; None for a parent or a control.
        record: Its figures, as in a reference row.
    """

    key: str
    name: str
    parent: str
    lineage: str | None
    record: TrialRecord

    @property
    def checkpoint(self) -> str:
        """Content hash of its weights.

        Raises:
            ValueError: If they were not saved.
        """
        return self.record.saved_checkpoint


@dataclass(frozen=True)
class TargetEntry:
    """Latency target with its frozen reference: `latency_ms` = ratio x `reference_ms`.

    Attributes:
        contended: Whether other work was seen on the device when the reference was timed; None where that is unknown.
        circumstances: What was seen then, as plain values; None where that is unknown.
    """

    key: str
    description: Mapping[str, Any]
    reference_ms: float
    contended: bool | None = None
    circumstances: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class LatencyEntry:
    """Latency of a shape on a target: measured, or predicted if `measurement.predicted`.

    Attributes:
        shape_key: `Shape.key`, and the image size after it (`... 128 px`) where that is not the target's own.
        samples_ms: One a block: ratio x the target's frozen reference. Empty where it was predicted.
        shape: What was timed; None in entries from before it was kept.
        p50_ms: Of the network's single runs as seen, by the target's clock, as p90 and p99; None as for `shape`.
        spread: How much single blocks differ, as a share of their median: `Timings.spread`.
        reference_ms: The reference's own time in this measurement, beside the frozen one.
        other_ratio: The ratio by the clock that the measurement does not go by: wall time for `cpu`.
        circumstances: What else went on, as plain values.
        blocks: All raw times (`Timings.as_plain`); read back only where they are asked for.
        at: When it was stored, by the database's clock; None before that.
    """

    shape_key: str
    target_key: str
    measurement: Measurement
    samples_ms: tuple[float, ...] = ()
    shape: Shape | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    spread: float | None = None
    reference_ms: float | None = None
    other_ratio: float | None = None
    circumstances: Mapping[str, Any] | None = None
    blocks: Mapping[str, Any] | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class FrontEntry:
    """Pareto front at a change: complete, feasible records that no other one dominates.

    Attributes:
        sequence: 1, 2, ... within the study.
        after: Number of counted trials (everything but duplicates and reference rows) stored at that moment.
        members: Names of the records (reference rows too; of equals only the earlier), ascending in the last objective.
        hypervolume: Hypervolume of the members against the reference point, in the product of the units.
        reference_point: One value per objective, in the objectives' own direction.
    """

    sequence: int
    after: int
    members: tuple[str, ...]
    hypervolume: float
    reference_point: tuple[float, ...]
    at: datetime
