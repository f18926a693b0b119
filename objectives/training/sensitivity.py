"""Sensitivity analysis: the loss after one channel group alone is cut, without training."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from objectives.data.dataset import Dataset
from objectives.training.accuracy import score
from objectives.training.untrained_loss import UntrainedLoss
from spaces.allocation.sensitivity import SensitivityMap
from spaces.base import ArchSpec, CandidateError, SpaceError
from spaces.networks.parent import Parent
from spaces.ranking.importance import best_first, scores
from spaces.ranking.widths import aligned, select
from spaces.structure.groups import tied

Measure = Literal["loss", "map50_95"]

RATIOS = (0.25, 0.5, 0.75)
"""Shares of a group that are kept; allocations interpolate between them."""

IMAGES = 64
"""Number of training images for the re-estimation of statistics, and number of those for the loss."""


def sensitivity(
    parent: Parent,
    data: Dataset,
    *,
    imgsz: int,
    orders: Mapping[str, Sequence[int]] | None = None,
    names: Collection[str] | None = None,
    ratios: Sequence[float] = RATIOS,
    measure: Measure = "loss",
    multiple: int = 8,
    images: int = IMAGES,
    batch: int = 16,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> SensitivityMap:
    """Cut one group (or all groups of one tie) at a time, re-estimate BatchNorm, and measure. Nothing is trained.

    The parent must be trained: an analysis of random weights has no meaning. The result is deterministic.

    Args:
        parent: Parent with trained weights.
        data: The loss is measured on `train` images, so that `val` does not influence the choice; `map50_95` on `val`.
        imgsz: Image size in px, square.
        orders: For each group its channels, the most important first; by default by L2 magnitude.
        names: Groups (or ties) to cut; None for all of them, as an allocation needs.
        ratios: Shares of channels that are kept, ascending, each in (0, 1).
        measure: `loss` (lower is better; cheap) or `map50_95`.
        progress: Called with the number of groups (or ties) that are done, and the number of all.

    Raises:
        SpaceError: If the ratios are not ascending within (0, 1), or there is no such group.
        CandidateError: If the uncut network has no finite loss.
    """
    if not ratios or list(ratios) != sorted(set(ratios)) or not 0 < ratios[0] <= ratios[-1] < 1:
        raise SpaceError(f"ratios {tuple(ratios)} must be ascending and within (0, 1)")
    gauge = _Gauge(data, imgsz, measure, images, batch, device)
    ranked = orders or best_first(scores(parent.as_candidate(), parent))
    whole = gauge.after_cut(parent, parent.full_spec())  # re-estimated too, so that only the cut makes a difference
    if not math.isfinite(whole):
        raise CandidateError(f"the uncut network's {measure} is {whole}")
    values: dict[str, tuple[float, ...]] = {}
    ties = tied(parent.groups)
    if names is not None:
        if unknown := sorted(set(names) - ties.keys()):
            raise SpaceError(f"the parent has no channel group or tie '{unknown[0]}'")
        ties = {name: ties[name] for name in names}
    known: dict[str, float] = {parent.full_spec().key: whole}
    for done, (name, indices) in enumerate(ties.items()):
        found = []
        for ratio in ratios:
            widths = {g.name: g.width for g in parent.groups}
            widths |= {parent.groups[i].name: aligned(parent.groups[i].width, ratio, multiple) for i in indices}
            spec = parent.structure.spec(select(parent.groups, ranked, widths))
            if spec.key not in known:  # small groups have few different widths
                known[spec.key] = gauge.after_cut(parent, spec)
            found.append(known[spec.key])
        values[name] = tuple(found)
        if progress is not None:
            progress(done + 1, len(ties))
    worst = max((v for row in values.values() for v in row if math.isfinite(v)), default=whole)
    finite = {name: tuple(v if math.isfinite(v) else worst for v in row) for name, row in values.items()}
    return SensitivityMap(measure, whole, tuple(ratios), finite)


class _Gauge:
    """Measures one cut of the parent after another on the same images, by loss or by mAP50-95."""

    def __init__(self, data: Dataset, imgsz: int, measure: Measure, images: int, batch: int, device: str) -> None:
        self._data, self._imgsz, self._measure, self._device = data, imgsz, measure, device
        loss_images = images if measure == "loss" else 0
        self._loss = UntrainedLoss(
            data, imgsz=imgsz, images=images, loss_images=loss_images, batch=batch, device=device
        )

    def after_cut(self, parent: Parent, spec: ArchSpec) -> float:
        """Return the value after a cut of the parent; the worst value if the cut network overflows."""
        if self._measure == "loss":
            return self._loss.after_cut(parent.build(spec))
        try:
            network = self._loss.reestimated(parent.build(spec)).network
        except CandidateError:
            return 0.0
        return score(network, self._data, "val", imgsz=self._imgsz, device=self._device).map50_95
