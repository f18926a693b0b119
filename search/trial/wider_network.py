"""The trained network that those of the next band of latency are cut from, so that they begin with its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from spaces.base import ArchSpec, ParamValue


@dataclass(frozen=True)
class WiderNetwork:
    """A trained network of a slower band.

    Attributes:
        params: The parameters of its trial.
    """

    name: str
    checkpoint: str
    spec: ArchSpec
    params: Mapping[str, ParamValue]


def wider_network_of(
    records: Sequence[TrialRecord], slowest_ms: float, running: Sequence[Mapping[str, ParamValue]] = ()
) -> WiderNetwork | None:
    """Return the network that those of a band are cut from: a trial that is slower than the band; None without one.

    That is the one that was trained longest: the finalist of the band before, unless that band had none. While another
    worker trains the finalist further, it is the trial with the same network, so that cuts of this are cuts of the
    finalist as well. Of equal trainings the one with the longest line is returned.

    Args:
        slowest_ms: Latency in ms at which the band ends.
        running: Parameters of the trials that run now.
    """
    found: dict[tuple[bool, int, int, int], WiderNetwork] = {}
    for record in records:
        complete = record.outcome is Outcome.COMPLETE and record.feasible and not record.is_repeated
        if record.number is None or not complete or (record.value(LATENCY) or 0.0) <= slowest_ms:
            continue
        if record.spec is not None and record.checkpoint is not None:
            rank = record.params in running, record.epochs, record.line_epochs, record.number
            found[rank] = WiderNetwork(record.name, record.checkpoint, record.spec, record.params)
    return found[max(found)] if found else None
