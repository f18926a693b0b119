"""Networks that benchmarks start from: stored once, and cut further from each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from objectives.data.dataset import Dataset
from objectives.training.gradients import gradients
from spaces.allocation.allocation import Cutter
from spaces.allocation.global_ranking import GlobalRanking
from spaces.allocation.uniform import thin
from spaces.base import ArchSpec, Candidate, Origin
from spaces.networks.checkpoint import content_hash, load, save
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.ranking.importance import scores


@dataclass(frozen=True)
class NetworkFolder:
    """Checkpoints in half precision, each in a folder of its own."""

    folder: Path

    def get_or_make(self, name: str, make: Callable[[], Candidate]) -> Candidate:
        """Return the stored network of this name; if there is none, make it and store it."""
        folder = self.folder / name
        if not folder.exists():
            save(make(), folder, half=True)
        return load(folder)


def flops_formula(parent: Parent) -> Callable[[ArchSpec], float]:
    """Return a function that gives the FLOPs of a spec of this parent."""
    formula = CostFormula.of(parent)
    return lambda spec: float(formula.costs((spec,)).flops[0])


def thin_further(candidate: Candidate, parent: Parent, ratio: float) -> Candidate:
    """Keep this share of the channels that every group of a candidate still has, with the candidate's weights."""
    name = content_hash(candidate)
    origin = Origin((name,) * len(parent.layer_sections))
    return parent.build(thin(candidate, parent, ratio), origin, {name: candidate})


def cut_by_taylor(
    parent: Parent, data: Dataset, *, imgsz: int, batch: int, flops_share: float, device: str = "cpu"
) -> Candidate:
    """Cut a parent to a share of its FLOPs by one global ranking of Taylor scores; nothing is trained."""
    whole = parent.as_candidate()
    slopes = gradients(whole, data, imgsz=imgsz, batches=8, batch=batch, device=device)
    ranked = scores(whole, parent, "taylor", gradients=slopes)
    cutter = Cutter(parent, whole, ranked, GlobalRanking(relative=False))
    return parent.build(cutter.at_share(flops_share, flops_formula(parent)))
