"""Which channels of a network matter: magnitude of all weights that make and read a channel.

A channel's importance is the sum, over every convolution coupled in its group, of the norms of the weights that make
it and of those that read it. BatchNorm scales are left out: they say nothing unless a model was trained with sparsity.

Source: DepGraph, Fang et al., CVPR 2023 (arXiv:2301.12900), section 3.3: group-level importance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from spaces.base import ArchSpec, Candidate, SpaceError
from spaces.groups import ChannelGroup, CutPlan, Indices, Side

if TYPE_CHECKING:
    from spaces.parent import Parent  # which ranks channels itself

Criterion = Literal["l2", "l1"]


def magnitude(
    state: Mapping[str, Tensor], groups: Iterable[ChannelGroup], criterion: Criterion = "l2"
) -> dict[str, Tensor]:
    """Importance of each channel of each group, in the parent's numbering.

    Args:
        state: State dict of a network of the parent's size.
        criterion: `l2` sums squared weights, `l1` their absolute values.

    Returns:
        For each group a float64 tensor of shape (width,); not comparable between groups.
    """
    if criterion not in ("l2", "l1"):
        raise SpaceError(f"no criterion '{criterion}'; there are l2 and l1")
    sums: dict[tuple[str, Side], Tensor] = {}
    scores = {}
    for group in groups:
        score = torch.zeros(group.width, dtype=torch.float64)
        for member in group.members:
            weight = state[f"{member.module}.weight"]
            if weight.ndim < 2:
                continue  # a batch norm
            key = (member.module, member.side)
            if key not in sums:
                powers = weight.double().square() if criterion == "l2" else weight.double().abs()
                sums[key] = powers.transpose(0, 1).flatten(1).sum(1) if key[1] == "in" else powers.flatten(1).sum(1)
            score += sums[key][list(member.positions)]
        scores[group.name] = score
    return scores


def kept_magnitude(
    state: Mapping[str, Tensor],
    groups: Sequence[ChannelGroup],
    plan: CutPlan,
    spec: ArchSpec,
    criterion: Criterion = "l2",
) -> dict[str, dict[int, float]]:
    """Importance of the kept channels of a cut network, group by group, by their number in the parent.

    Args:
        state: State dict of the cut network.
    """
    kept = plan.kept(spec)
    local = [_renumbered(group, kept, numbers) for group, numbers in zip(groups, spec.kept, strict=True)]
    scores = magnitude(state, local, criterion)
    return {
        group.name: dict(zip(numbers, scores[group.name].tolist(), strict=True))
        for group, numbers in zip(groups, spec.kept, strict=True)
    }


def best_first(scores: Mapping[str, Mapping[int, float]]) -> dict[str, tuple[int, ...]]:
    """Channels of each group in falling importance; of equal ones the lower number first."""
    return {name: tuple(sorted(of, key=lambda channel: (-of[channel], channel))) for name, of in scores.items()}


def _renumbered(
    group: ChannelGroup, kept: Mapping[tuple[str, Side], Indices], numbers: tuple[int, ...]
) -> ChannelGroup:
    """The group as it lies in the cut network: its kept channels, at their positions there."""
    members = tuple(
        replace(
            member,
            positions=tuple(
                np.searchsorted(kept[member.module, member.side], [member.positions[n] for n in numbers]).tolist()
            ),
        )
        for member in group.members
    )
    return replace(group, width=len(numbers), members=members)


def order(candidate: Candidate, parent: Parent, criterion: Criterion = "l2") -> dict[str, tuple[int, ...]]:
    """Kept channels of each group of a candidate, best first, in the parent's numbering.

    Raises:
        SpaceError: If the candidate is of another parent.
    """
    return best_first(scores(candidate, parent, criterion))


def scores(candidate: Candidate, parent: Parent, criterion: Criterion = "l2") -> dict[str, dict[int, float]]:
    """Importance of each kept channel of each group, by its number in the parent; see `order`."""
    parent.check(candidate.spec)
    state = candidate.network.state_dict()
    return kept_magnitude(state, parent.groups, parent.structure.plan, candidate.spec, criterion)
