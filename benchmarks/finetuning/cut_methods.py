"""The cuts that `benchmarks.criteria` compares: each is an allocation with a criterion, at the same share of FLOPs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.finetuning.bench import FINETUNING_BATCH, FineTuningBench
from benchmarks.finetuning.networks import flops_formula
from benchmarks.setup.results import ResultsFile
from objectives.training.gradients import gradients
from objectives.training.sensitivity import sensitivity
from spaces.allocation.allocation import Allocation, Cutter
from spaces.allocation.global_ranking import GlobalRanking
from spaces.allocation.sensitivity import SensitivityAllocation, SensitivityMap
from spaces.allocation.slimming import Slimming
from spaces.allocation.uniform import Uniform
from spaces.base import Candidate
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.ranking.criteria import Criterion
from spaces.ranking.importance import Scores, mean_scales, scores

SPARSITY_EPOCHS, SPARSITY = 15, 0.3
"""Steps x mean learning rate x strength is then about 0.6: the decrease of a scale that the loss does not depend on."""


@dataclass(frozen=True)
class CutMethod:
    """One way of cutting.

    Attributes:
        sparse: True if it starts from the parent that was trained with sparsity.
    """

    allocation: str
    criterion: Criterion
    sparse: bool = False

    @property
    def name(self) -> str:
        """The name in the table."""
        return f"{self.allocation}, {self.criterion}" + (" (sparse parent)" if self.sparse else "")


CUT_METHODS = (
    *(CutMethod("uniform", criterion) for criterion in ("l2", "l1", "lamp", "taylor", "random")),
    CutMethod("uniform", "batchnorm", sparse=True),
    CutMethod("uniform", "l2", sparse=True),
    CutMethod("global", "l2"),
    CutMethod("global", "lamp"),
    CutMethod("global", "taylor"),
    CutMethod("slimming", "batchnorm", sparse=True),
    CutMethod("sensitivity", "l2"),
    CutMethod("sensitivity", "taylor"),
)


def train_with_sparsity(bench: FineTuningBench, parent: Parent) -> Candidate:
    """Train the parent for further epochs with a penalty on its BatchNorm scales."""
    return bench.train(parent.candidate(), bench.recipe(SPARSITY_EPOCHS, sparsity=SPARSITY), seed=0)


@dataclass(frozen=True)
class CutComparison:
    """Cuts of one parent, all at the same share of its FLOPs.

    Attributes:
        sparse_parent: The parent after further epochs with sparsity.
        flops_share: Share of the parent's FLOPs that a cut keeps.
        epochs: Epochs of fine-tuning.
    """

    bench: FineTuningBench
    parent: Parent
    sparse_parent: Parent
    flops_share: float
    epochs: int

    def cut(self, method: CutMethod) -> Candidate:
        """Cut the method's parent; nothing is trained."""
        parent = self._parent_of(method)
        ranked, allocation = self._scores(parent, method), self._allocation(parent, method)
        cutter = Cutter(parent, parent.as_candidate(), ranked, allocation)
        return parent.build(cutter.at_share(self.flops_share, flops_formula(parent)))

    def measure(self, method: CutMethod, seed: int) -> Mapping[str, Any]:
        """Cut, re-estimate BatchNorm, fine-tune; return shares of cost, and accuracy after each step."""
        bench, parent = self.bench, self._parent_of(method)
        cut = self.cut(method)
        reestimated = bench.reestimate_batchnorm(cut)
        tuned = bench.train(reestimated, bench.recipe(self.epochs), seed)
        costs = CostFormula.of(parent).costs((parent.full_spec(), cut.spec))
        return {
            "flops": float(costs.flops[1] / costs.flops[0]),
            "parameters": float(costs.parameters[1] / costs.parameters[0]),
            "cut": bench.map50_95(cut),
            "settled": bench.map50_95(reestimated),
            "tuned": bench.accuracies(tuned),
        }

    def _parent_of(self, method: CutMethod) -> Parent:
        return self.sparse_parent if method.sparse else self.parent

    def _scores(self, parent: Parent, method: CutMethod) -> Scores:
        candidate, bench = parent.as_candidate(), self.bench
        if method.criterion == "batchnorm":
            return mean_scales(candidate, parent, after_sparsity=method.sparse)
        slopes = None
        if method.criterion == "taylor":
            batch = FINETUNING_BATCH
            slopes = gradients(candidate, bench.data, imgsz=bench.imgsz, batches=8, batch=batch, device=bench.device)
        return scores(candidate, parent, method.criterion, gradients=slopes)

    def _allocation(self, parent: Parent, method: CutMethod) -> Allocation:
        if method.allocation == "uniform":
            return Uniform()
        if method.allocation == "slimming":
            return Slimming()
        if method.allocation == "global":
            return GlobalRanking(relative=method.criterion == "l2")  # scores of LAMP and Taylor compare as they are
        return SensitivityAllocation(self._sensitivity(parent), {g.name: g.tie or g.name for g in parent.groups})

    def _sensitivity(self, parent: Parent) -> SensitivityMap:
        """Measure the sensitivity map once: it takes as long as a fine-tuning."""
        bench = self.bench

        def measure() -> dict[str, Any]:
            found = sensitivity(parent, bench.data, imgsz=bench.imgsz, batch=FINETUNING_BATCH, device=bench.device)
            return dataclasses.asdict(found)

        stored = ResultsFile(bench.out / "sensitivity.jsonl").get_or_run("parent", measure)
        values = {name: tuple(row) for name, row in stored["values"].items()}
        return SensitivityMap(stored["measure"], stored["whole"], tuple(stored["ratios"]), values)
