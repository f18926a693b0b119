"""The grafts that `benchmarks.seam` compares: every pair of three donors, with both seams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.finetuning.bench import FINETUNING_BATCH, FineTuningBench
from benchmarks.finetuning.networks import cut_by_taylor, thin_further
from spaces.allocation.uniform import uniform
from spaces.base import Candidate
from spaces.networks.graft import graft
from spaces.networks.parent import Parent
from spaces.structure.slicing import Seam


@dataclass(frozen=True)
class GraftCase:
    """A graft of two donors.

    Attributes:
        backbone: Name of the donor of the backbone.
        head: Name of the donor of the head.
        seam: Weights of the channels that the head reads and its donor has not.
    """

    backbone: str
    head: str
    seam: Seam

    def key(self, seed: int) -> str:
        """Return the key of its results."""
        return f"{self.backbone} + {self.head}, {self.seam}, seed {seed}"


@dataclass(frozen=True)
class SeamComparison:
    """Grafts of the donors of one parent.

    Attributes:
        epochs: Epochs of fine-tuning.
    """

    bench: FineTuningBench
    parent: Parent
    donors: Mapping[str, Candidate]
    epochs: int

    def measure(self, case: GraftCase, seed: int) -> Mapping[str, Any]:
        """Graft, re-estimate BatchNorm, fine-tune; return the accuracies and the share of missing channels."""
        backbone, head = self.donors[case.backbone], self.donors[case.head]
        joined = graft(backbone=backbone, head=head, parent=self.parent, seam=case.seam)
        reestimated = self.bench.reestimate_batchnorm(joined)
        tuned = self.bench.train(reestimated, self.bench.recipe(self.epochs), seed)
        return {
            "unseen": missing_share(self.parent, backbone, head),
            "settled": self.bench.map50_95(reestimated),
            "tuned": self.bench.accuracies(tuned),
        }


def make_donors(bench: FineTuningBench, parent: Parent, epochs: int) -> dict[str, Candidate]:
    """Return the three donors: uniformly thinner, thinner in a second round, and half of the FLOPs by Taylor."""

    def tune(candidate: Candidate) -> Candidate:
        return bench.train(bench.reestimate_batchnorm(candidate), bench.recipe(epochs), seed=0)

    def by_taylor() -> Candidate:
        size, device = {"imgsz": bench.imgsz, "batch": FINETUNING_BATCH}, bench.device
        return tune(cut_by_taylor(parent, bench.data, **size, flops_share=0.5, device=device))

    first = bench.networks.get_or_make("uniform", lambda: tune(parent.build(uniform(parent, 0.7))))
    second = bench.networks.get_or_make("round-2", lambda: tune(thin_further(first, parent, 0.8)))
    return {"uniform": first, "round-2": second, "taylor": bench.networks.get_or_make("taylor", by_taylor)}


def missing_share(parent: Parent, backbone: Candidate, head: Candidate) -> float:
    """Return the share of the backbone channels that the graft's head reads and the head's donor does not have."""
    read = missing = 0
    for group, ours, theirs in zip(parent.groups, backbone.spec.kept, head.spec.kept, strict=True):
        readers = [member for member in group.members if member.side == "in"]
        if group.section == "backbone" and any(_is_in_head(parent, member.module) for member in readers):
            read += len(ours)
            missing += len(set(ours) - set(theirs))
    return missing / read


def _is_in_head(parent: Parent, module: str) -> bool:
    return parent.layer_sections[int(module.split(".")[1])] != "backbone"
