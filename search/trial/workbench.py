"""The tools of one worker process. The data is scanned and the meter started once, not once per trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from objectives.metrics.base import AfterTraining, BeforeTraining
from objectives.metrics.cost import count_parameters
from objectives.metrics.registry import Tools, objectives_after_training, objectives_before_training
from objectives.training.kept_training import versions, weights_hash
from search.kept.folder import KeptFolder
from search.latency.study_latencies import StudyLatencies
from search.store.base import Store
from search.trial.plan import NO_LIMITS
from search.trial.study_training import StudyTraining
from spaces.base import ArchSpec, Candidate, Origin
from spaces.networks.checkpoint import CheckpointStore
from spaces.networks.parent import Parent


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """The tools that prepare a study and run its trials.

    Attributes:
        parent: The network that others are pruned from; the untrained one until the trained one is known.
        training: Trains and evaluates networks.
        latencies: Measures and predicts latencies.
        store: Where records, trained networks and latencies are stored.
        checkpoints: Where weights are stored.
        maps: Folder of the sensitivity maps.
        named: Names of the quantities that the study has as objectives or limits.
        kept: Where the unfinished work of trials and rows is kept; by default nothing is.
    """

    parent: Parent
    training: StudyTraining
    latencies: StudyLatencies
    store: Store
    checkpoints: CheckpointStore
    maps: Path
    named: frozenset[str] = frozenset()
    kept: KeptFolder = field(default_factory=KeptFolder)

    @cached_property
    def parent_parameters(self) -> int:
        """Number of parameters of the unpruned parent, counted as a candidate's."""
        return count_parameters(self.parent.candidate())

    def kept_facts(self, identity: str) -> dict[str, str]:
        """Return what the figures of a trial or row depend on, by name: with other facts its kept work is useless."""
        training = self.training
        return {
            **versions(),
            "network, recipe and seed": identity,
            "data": training.data.key,
            "parent": self._parent_hash,
            "target": self.latencies.target.key,
            "scoring": f"{training.confidence} {training.iou} {' '.join(sorted(self.named))}",
        }

    @cached_property
    def _parent_hash(self) -> str:
        return weights_hash(self.parent.candidate().network)

    def before_training(self, limits: Mapping[str, float] = NO_LIMITS) -> tuple[BeforeTraining, ...]:
        """Return the objectives that are measured before any training.

        Args:
            limits: Upper limits of the study; a value far above one is measured less precisely.
        """
        return objectives_before_training(Tools(self.parent_parameters, self.latencies.measure, limits), self.named)

    @property
    def after_training(self) -> tuple[AfterTraining, ...]:
        """The objectives that are measured of a trained network."""
        return objectives_after_training(self.named)

    def build_from(self, checkpoint: str, spec: ArchSpec) -> Candidate:
        """Return a network with a trained network's weights, and the parent's where that has no such channel.

        Raises:
            CheckpointError: If the weights are missing or damaged.
            CandidateError: If the network cannot be built with them.
        """
        origin = Origin((checkpoint,) * len(self.parent.layer_sections))
        return self.parent.build(spec, origin, {checkpoint: self.checkpoints.get(checkpoint)})

    def with_parent(self, parent: Parent) -> Workbench:
        """Return the same tools around another parent."""
        return replace(self, parent=parent)
