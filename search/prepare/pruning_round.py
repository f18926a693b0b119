"""One cut by hand: with training with sparsity and a threshold of the scales, or to a share of channels or FLOPs.

Source: Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV 2017, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from objectives.recipe import Recipe
from search.prepare.cutting import Rule, cutter_of, flops_of
from search.prepare.row_training import Progress, checkpoint_of, found, key_of, make_all
from search.store.entries import TrainedEntry
from search.trial.workbench import Workbench
from spaces.allocation.allocation import Allocation, Cutter
from spaces.allocation.slimming import Slimming, SlimmingAt
from spaces.base import PARENT, SCRATCH, ArchSpec, Candidate, Origin, ParamValue
from spaces.ranking.importance import mean_scales

LEAST_BELOW = 0.05
"""Share of the scales that must lie below the threshold; with fewer the cut goes to its ratio instead."""


@dataclass(frozen=True)
class Cut:
    """One network to be cut and trained: a round of pruning, or a control.

    Attributes:
        source: Name of what it is cut from: `parent` or an earlier row; `scratch` cuts the parent's structure
            and starts from fresh weights.
        ratio: Share of the source's channels that stay, in (0, 1]; None where `flops` is given.
        flops: Share of the source's FLOPs that stays, in (0, 1].
        gives: Whether it is a donor; a control gives nothing to others.
        threshold: Of the scales after the training with sparsity; None where the cut is none at a threshold.
        sparse: The recipe of that training.
        also_f1: Whether the epoch with the best F1 is a row too.
    """

    name: str
    source: str
    ratio: float | None
    flops: float | None
    rule: Rule
    recipe: Recipe
    gives: bool
    threshold: float | None = None
    sparse: Recipe | None = None
    also_f1: bool = False

    def facts(self) -> dict[str, Any]:
        """What of it goes into its key. Fields that came later only where they are used, so that keys last."""
        facts: dict[str, Any] = {"ratio": self.ratio, "multiple": self.rule.multiple}
        if (self.rule.cut, self.rule.criterion) != ("uniform", "l2"):
            facts |= {"cut": self.rule.cut, "criterion": self.rule.criterion}
        if self.threshold is not None and self.sparse is not None:
            facts |= {"threshold": self.threshold, "sparse": self.sparse.as_plain()}
        return facts if self.flops is None else {**facts, "flops": self.flops}


@dataclass(frozen=True)
class Threshold:
    """What a threshold of the scales cuts of a network.

    Attributes:
        share_below: Of all channels whose scale is known, those below the threshold.
        emptied: Groups of which all channels lie below it; they keep one slice.
        to_ratio: Whether too few lie below it, and the network is cut to its ratio instead.
    """

    spec: ArchSpec
    share_below: float
    emptied: tuple[str, ...]
    to_ratio: bool

    def params(self, threshold: float) -> dict[str, ParamValue]:
        """As a record says it."""
        said: dict[str, ParamValue] = {"cut.threshold": threshold, "cut.share_below": round(self.share_below, 4)}
        if self.to_ratio:
            said["cut.to_ratio"] = True
        return said | ({"cut.emptied": ", ".join(self.emptied)} if self.emptied else {})


class CutNetwork(NamedTuple):
    """A network that was cut and is to be fine-tuned.

    Attributes:
        params: What is to be told of how it was cut.
        spent_s: Seconds of training that its cut took.
    """

    candidate: Candidate
    params: Mapping[str, ParamValue] = {}
    spent_s: float = 0.0


def cut_network(
    bench: Workbench, cut: Cut, source: TrainedEntry | None, root: TrainedEntry, progress: Progress
) -> CutNetwork:
    """The network of a cut, before its fine-tuning.

    Args:
        source: What it is cut from; None for fresh weights.
        root: The trained network of the bench's parent.
    """
    layers = len(bench.parent.layer_sections)
    if cut.threshold is not None and cut.sparse is not None and source is not None:
        sparse = sparsified(bench, cut, source, root, progress)
        donor, checkpoint = bench.checkpoints.get(checkpoint_of(sparse)), checkpoint_of(sparse)
        found_cut = at_threshold(bench, cut, donor)
        if found_cut.emptied:
            emptied = ", ".join(found_cut.emptied)
            progress.say(f"{cut.name}: all scales of {emptied} are below {cut.threshold:g}; one slice of each stays")
        candidate = bench.parent.build(found_cut.spec, Origin((checkpoint,) * layers), {checkpoint: donor})
        return CutNetwork(candidate, found_cut.params(cut.threshold), sparse.record.seconds.get("training", 0.0))
    whole = source is None or source == root
    donor = bench.parent.as_candidate() if whole or source is None else bench.checkpoints.get(checkpoint_of(source))
    cutter = cutter_of(bench, cut.rule, donor, progress.say)
    if cut.flops is None:
        assert cut.ratio is not None
        spec = cutter.spec(cut.ratio)
    else:
        spec = cutter.at_share(cut.flops, flops_of(bench.parent))
    if whole or source is None:
        weights = SCRATCH if cut.source == SCRATCH else PARENT
        return CutNetwork(bench.parent.build(spec, Origin((weights,) * layers)))
    checkpoint = checkpoint_of(source)
    return CutNetwork(bench.parent.build(spec, Origin((checkpoint,) * layers), {checkpoint: donor}))


def sparsified(
    bench: Workbench, cut: Cut, source: TrainedEntry, root: TrainedEntry, progress: Progress
) -> TrainedEntry:
    """The source after its training with sparsity, kept by itself: a round that is killed later goes on from it."""
    assert cut.sparse is not None
    facts: dict[str, Any] = {"source": source.key, "recipe": cut.sparse.as_plain(), "seed": bench.seed}
    key = key_of(kind="sparse", data=bench.data.key, **facts)
    known = found(bench, key)
    if known is not None:
        return known
    candidate = bench.parent.candidate() if source == root else bench.checkpoints.get(checkpoint_of(source))
    (made,) = make_all(bench, f"{cut.name} sparse", candidate, cut.sparse, source.name, progress, inherited=False)
    return bench.store.add_trained(TrainedEntry(key, f"{cut.name} sparse", checkpoint_of(root), None, made))


def at_threshold(bench: Workbench, cut: Cut, sparse: Candidate) -> Threshold:
    """What the scales of a network that was trained with sparsity leave of it."""
    assert cut.threshold is not None and cut.ratio is not None
    scales = mean_scales(sparse, bench.parent, after_sparsity=True)
    known = {name: [value for value in of.values() if math.isfinite(value)] for name, of in scales.items()}
    every = [value for of in known.values() for value in of]
    share = sum(value < cut.threshold for value in every) / len(every)
    to_ratio = share < LEAST_BELOW
    allocation: Allocation = Slimming() if to_ratio else SlimmingAt(cut.threshold)
    spec = Cutter(bench.parent, sparse, scales, allocation, cut.rule.multiple).spec(cut.ratio)
    emptied = tuple(name for name, of in known.items() if of and max(of) < cut.threshold)
    return Threshold(spec, share, emptied, to_ratio)
