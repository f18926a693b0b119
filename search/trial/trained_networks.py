"""The trained networks that a trial may begin with: of its own study, and of others with the same parent and data.

Among them is the wider network that those of the next band of latency are cut from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.record.ancestors import Ancestor, joined_lines
from search.record.copied import named_with_study
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from spaces.base import PARENT, ArchSpec, ParamValue
from spaces.networks.checkpoint import CheckpointStore

MISSING_WEIGHT = 3.0
"""Weight of a channel that the trained network lacks, beside 1 for a channel that it has and that would be cut."""

MAX_EARLIER = 200
"""Maximum number of networks of other studies, the newest first."""


@dataclass
class TrainedNetworks:
    """Records of networks with weights on this machine, nearest first to a network that is asked for.

    Attributes:
        structure_key: Key of the parent's structure; networks of other structures are left out.
    """

    store: Store
    study: StudyEntry
    checkpoints: CheckpointStore
    structure_key: str

    def __post_init__(self) -> None:
        self._read = 0
        self._own: list[TrialRecord] = []

    def nearest(self, spec: ArchSpec, count: int) -> tuple[TrialRecord, ...]:
        """Return the trained networks whose channels are nearest to those of a spec, the nearest first.

        Of networks with equal channels only the one with most training behind it is returned.
        """
        longest = self._longest()
        distances = {key: distance(spec, each.spec) for key, each in longest.items() if each.spec is not None}
        return tuple(longest[key] for key in sorted(distances, key=lambda key: (distances[key], key))[:count])

    def most_trained_around(self, spec: ArchSpec) -> TrialRecord | None:
        """Return the network with most training behind it of which a spec is a cut; None if there is none."""
        around = [each for each in self._longest().values() if each.spec is not None and is_cut_of(spec, each.spec)]
        return max(around, key=lambda record: (record.line_epochs, record.name), default=None)

    def _longest(self) -> Mapping[str, TrialRecord]:
        """Return the usable records by spec; of equal networks the one with most training."""
        longest: dict[str, TrialRecord] = {}
        for record in (*self._earlier, *self._trials_and_rows()):
            key = "" if record.spec is None else record.spec.key
            if key not in longest or record.line_epochs > longest[key].line_epochs:
                longest[key] = record
        return longest

    def line_of(self, sources: Sequence[str]) -> tuple[Ancestor, ...]:
        """Return the ancestors of weights that come from these checkpoints of the study's own networks."""
        lines = [record.line for record in self._trials_and_rows() if record.checkpoint in sources]
        return joined_lines(*lines)

    def _trials_and_rows(self) -> Sequence[TrialRecord]:
        records = self.store.records(self.study, after=self._read, curves=False)
        self._read += len(records)
        self._own += [record for record in records if self._is_usable(record)]
        return self._own

    @cached_property
    def _earlier(self) -> tuple[TrialRecord, ...]:
        """Records of studies with the same parent and data, named with their study."""
        return tuple(self._of_other_studies())[-MAX_EARLIER:]

    def _of_other_studies(self) -> Iterator[TrialRecord]:
        for other in self.store.studies():
            if other.id == self.study.id or not is_alike(other, self.study):
                continue
            for record in self.store.records(other, curves=False):
                if not record.is_reference and self._is_usable(record):
                    yield named_with_study(record, other.sampler_name)

    def _is_usable(self, record: TrialRecord) -> bool:
        """Return whether a network was trained after the parent, and its weights are on this machine.

        A repeated training is left out: it only tells the noise.
        """
        return (
            record.outcome is Outcome.COMPLETE
            and record.spec is not None
            and record.spec.parent == self.structure_key
            and record.checkpoint is not None
            and record.checkpoint != self.study.frozen.get(PARENT)
            and bool(record.epochs)
            and not record.is_repeated
            and record.checkpoint in self.checkpoints
        )


def is_alike(other: StudyEntry, study: StudyEntry) -> bool:
    """Return whether two studies have the same trained parent and the same data."""
    facts = (PARENT, "data")
    return all(study.frozen.get(fact) is not None for fact in facts) and all(
        other.frozen.get(fact) == study.frozen[fact] for fact in facts
    )


def distance(spec: ArchSpec, trained: ArchSpec) -> float:
    """Return how far a trained network is from a spec: the differing channels of each group as shares of its width.

    Channels that the trained network lacks count more: their weights would come from the parent, untrained with the
    rest.
    """
    first, second = _mask(spec), _mask(trained)
    missing, cut = first & ~second, second & ~first
    weights = np.repeat([1.0 / width for width in spec.widths], spec.widths)
    channels = float(MISSING_WEIGHT * weights[missing].sum() + weights[cut].sum())
    lacks, has = set(trained.dropped) - set(spec.dropped), set(spec.dropped) - set(trained.dropped)
    return channels + MISSING_WEIGHT * len(lacks) + len(has)


def is_cut_of(spec: ArchSpec, wider: ArchSpec) -> bool:
    """Return whether a network has no channel and no bottleneck that a wider one lacks."""
    return set(wider.dropped) <= set(spec.dropped) and not (_mask(spec) & ~_mask(wider)).any()


def _mask(spec: ArchSpec) -> NDArray[np.bool_]:
    """Return the kept channels of all groups, one after another, shape (sum of widths,)."""
    mask = np.zeros(sum(spec.widths), dtype=bool)
    start = 0
    for width, kept in zip(spec.widths, spec.kept, strict=True):
        mask[start + np.array(kept, dtype=int)] = True
        start += width
    return mask


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
