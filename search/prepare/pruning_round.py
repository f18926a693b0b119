"""Prunes one network by hand: to a share of channels, to a share of FLOPs, or at a threshold of BatchNorm scales.

Source of the threshold: Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV 2017,
section 3.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, final

from objectives.recipe import Recipe
from search.prepare.cutting import ChannelRule, build_cutter, flops_function
from search.prepare.row_training import RowTrainer, key_of
from search.record.ancestors import Ancestor
from search.record.events import Activity
from search.store.entries import TrainedEntry
from spaces.allocation.allocation import Allocation, Cutter
from spaces.allocation.slimming import Slimming, SlimmingAt
from spaces.base import PARENT, SCRATCH, ArchSpec, Candidate, Origin, ParamValue, SpaceError
from spaces.networks.parent import Parent
from spaces.ranking.importance import mean_scales

MIN_SHARE_BELOW = 0.05
"""Minimum share of scales below the threshold; with fewer the network is cut to its ratio instead."""


class PrunedNetwork(NamedTuple):
    """A network that was pruned and is not fine-tuned yet.

    Attributes:
        params: Facts about the pruning, for the record.
        ancestors: Networks that its weights were trained as before, after the parent.
        earlier_training_s: Seconds of the training that the pruning needed.
    """

    candidate: Candidate
    params: Mapping[str, ParamValue] = {}
    ancestors: tuple[Ancestor, ...] = ()
    earlier_training_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Pruning(ABC):
    """One network to be pruned and fine-tuned: a round of iterative pruning, or a control.

    Attributes:
        source: Name of the row that it is pruned from: `parent`, or an earlier row. With `scratch` the parent's
            structure is pruned and starts from fresh weights.
        recipe: Recipe of the fine-tuning.
        is_donor: Whether other networks may inherit its weights; False for a control.
        also_best_f1: Whether the epoch with the best F1 is a row too.
    """

    name: str
    source: str
    recipe: Recipe
    is_donor: bool
    also_best_f1: bool = False

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return the facts that go into its key. A newer fact is left out where it has no effect: old keys stay."""

    @abstractmethod
    def prune(self, rows: RowTrainer, source: TrainedEntry | None, root: TrainedEntry | None) -> PrunedNetwork:
        """Prune the source.

        Args:
            rows: Trains what the pruning needs trained first.
            source: The network that is pruned; None for fresh weights.
            root: The trained parent of the workbench; None if it is not trained yet, for fresh weights.
        """


@dataclass(frozen=True, kw_only=True)
class _PruningByRule(Pruning):
    """Pruning to a share, by a rule that selects channels."""

    rule: ChannelRule

    @abstractmethod
    def _spec(self, cutter: Cutter, parent: Parent) -> ArchSpec:
        """Return the spec of the pruned network."""

    def _rule_facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"multiple": self.rule.multiple}
        if (self.rule.cut, self.rule.criterion) != ("uniform", "l2"):
            facts |= {"cut": self.rule.cut, "criterion": self.rule.criterion}
        return facts

    def prune(self, rows: RowTrainer, source: TrainedEntry | None, root: TrainedEntry | None) -> PrunedNetwork:
        """See `Pruning`."""
        bench, parent = rows.bench, rows.bench.parent
        if source is None or source == root:
            cutter = build_cutter(bench, self.rule, parent.as_candidate(), rows.say)
            weights = PARENT if self.source != SCRATCH else SCRATCH
            return PrunedNetwork(parent.build(self._spec(cutter, parent), _origin(weights, parent)))
        donor = bench.checkpoints.get(source.checkpoint)
        spec = self._spec(build_cutter(bench, self.rule, donor, rows.say), parent)
        candidate = parent.build(spec, _origin(source.checkpoint, parent), {source.checkpoint: donor})
        return PrunedNetwork(candidate, ancestors=source.record.line)


@final
@dataclass(frozen=True, kw_only=True)
class RatioPruning(_PruningByRule):
    """Pruning to a share of the source's channels.

    Attributes:
        ratio: Share of channels that stay, in (0, 1].
    """

    ratio: float

    def facts(self) -> dict[str, Any]:
        """See `Pruning`."""
        return {**self._rule_facts(), "ratio": self.ratio}

    def _spec(self, cutter: Cutter, parent: Parent) -> ArchSpec:
        return cutter.spec(self.ratio)


@final
@dataclass(frozen=True, kw_only=True)
class FlopsPruning(_PruningByRule):
    """Pruning to a share of the source's FLOPs.

    Attributes:
        flops: Share of FLOPs that stays, in (0, 1].
    """

    flops: float

    def facts(self) -> dict[str, Any]:
        """See `Pruning`."""
        return {**self._rule_facts(), "ratio": None, "flops": self.flops}

    def _spec(self, cutter: Cutter, parent: Parent) -> ArchSpec:
        return cutter.at_share(self.flops, flops_function(parent))


@final
@dataclass(frozen=True, kw_only=True)
class ThresholdPruning(Pruning):
    """Training with sparsity, then pruning of every channel whose BatchNorm scale is below a threshold.

    Attributes:
        ratio: Share of channels that stay if hardly any scale is below the threshold, in (0, 1].
        multiple: Widths are multiples of this number of channels.
        sparse: Recipe of the training with sparsity.
    """

    threshold: float
    ratio: float
    multiple: int
    sparse: Recipe

    def facts(self) -> dict[str, Any]:
        """See `Pruning`."""
        rule = {"multiple": self.multiple, "cut": "threshold", "criterion": "l2"}
        return {**rule, "ratio": self.ratio, "threshold": self.threshold, "sparse": self.sparse.as_plain()}

    def prune(self, rows: RowTrainer, source: TrainedEntry | None, root: TrainedEntry | None) -> PrunedNetwork:
        """See `Pruning`.

        Raises:
            SpaceError: If there is no source: fresh weights have no trained scales.
        """
        if source is None or root is None:
            raise SpaceError(
                f"'{self.name}' is cut at a threshold, and 'from' is {self.source}, which has no trained scales; "
                "cut from parent or an earlier row"
            )
        bench, parent = rows.bench, rows.bench.parent
        sparse = self._train_with_sparsity(rows, source, root)
        network = bench.checkpoints.get(sparse.checkpoint)
        found = self.select(parent, network)
        if found.emptied:
            emptied = ", ".join(found.emptied)
            rows.say(
                Activity(f"{self.name}: all scales of {emptied} are below {self.threshold:g}; one slice of each stays")
            )
        candidate = parent.build(found.spec, _origin(sparse.checkpoint, parent), {sparse.checkpoint: network})
        seconds = sparse.record.seconds.get("training", 0.0)
        return PrunedNetwork(candidate, found.params(), sparse.record.line, seconds)

    def _train_with_sparsity(self, rows: RowTrainer, source: TrainedEntry, root: TrainedEntry) -> TrainedEntry:
        """Return the source after its training with sparsity. It is stored, so that a killed run does not repeat it."""
        bench = rows.bench
        facts: dict[str, Any] = {"source": source.key, "recipe": self.sparse.as_plain(), "seed": bench.training.seed}
        key = key_of(kind="sparse", data=bench.training.data.key, **facts)
        known = rows.find(key)
        if known is not None:
            return known
        candidate = bench.parent.candidate() if source == root else bench.checkpoints.get(source.checkpoint)
        name = f"{self.name} sparse"
        ancestors = () if source == root else source.record.line
        (record,) = rows.train(name, candidate, self.sparse, lineage=source.name, inherited=False, ancestors=ancestors)
        entry = TrainedEntry(key=key, name=name, parent=root.checkpoint, lineage=None, record=record)
        stored = bench.store.add_trained(entry)
        bench.kept.discard([name])
        return stored

    def select(self, parent: Parent, sparse: Candidate) -> ThresholdCut:
        """Return the channels that stay of a network that was trained with sparsity."""
        scales = mean_scales(sparse, parent, after_sparsity=True)
        known = {name: [value for value in of.values() if math.isfinite(value)] for name, of in scales.items()}
        every = [value for of in known.values() for value in of]
        share = sum(value < self.threshold for value in every) / len(every)
        to_ratio = share < MIN_SHARE_BELOW
        allocation: Allocation = Slimming() if to_ratio else SlimmingAt(self.threshold)
        return ThresholdCut(
            spec=Cutter(parent, sparse, scales, allocation, self.multiple).spec(self.ratio),
            threshold=self.threshold,
            share_below=share,
            emptied=tuple(name for name, of in known.items() if of and max(of) < self.threshold),
            to_ratio=to_ratio,
        )


@dataclass(frozen=True, kw_only=True)
class ThresholdCut:
    """Result of a cut at a threshold of the scales.

    Attributes:
        share_below: Share of the known scales that lie below the threshold.
        emptied: Groups whose scales all lie below it; they keep one slice.
        to_ratio: Whether too few lie below it, and the network is cut to its ratio instead.
    """

    spec: ArchSpec
    threshold: float
    share_below: float
    emptied: tuple[str, ...]
    to_ratio: bool

    def params(self) -> dict[str, ParamValue]:
        """Return the facts that are stored in the record."""
        facts: dict[str, ParamValue] = {"cut.threshold": self.threshold, "cut.share_below": round(self.share_below, 4)}
        if self.to_ratio:
            facts["cut.to_ratio"] = True
        return facts | ({"cut.emptied": ", ".join(self.emptied)} if self.emptied else {})


def _origin(source: str, parent: Parent) -> Origin:
    """Return the origin of a network whose layers all inherit from one source."""
    return Origin((source,) * len(parent.layer_sections))
