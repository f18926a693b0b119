"""Importance of channels: a criterion summed over all layers that make and read a channel.

A group's channels are cut together, so their importance is summed over its members; one order per group makes every
width a nested slice. The criteria themselves are in `spaces/ranking/criteria.py`.

Source: DepGraph, Fang et al., CVPR 2023 (arXiv:2301.12900), section 3.3: group-level importance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from spaces.base import ArchSpec, Candidate, SpaceError
from spaces.ranking.criteria import CRITERIA, Criterion, channel_terms, layer_adaptive
from spaces.structure.groups import ChannelGroup, Indices, Side
from spaces.structure.repeats import Repeat
from spaces.structure.slicing import State
from spaces.structure.structure import Structure

Scores = Mapping[str, Mapping[int, float]]
"""For each group, in the parent's order, its kept channels by their number in the parent."""


class DenseNetwork(Protocol):
    """Facts about the dense network that a candidate was cut from, for a ranking: a `Parent` has them all."""

    @property
    def network(self) -> nn.Module:
        """Dense network."""

    @property
    def structure(self) -> Structure:
        """Structure of the dense network."""

    @property
    def groups(self) -> tuple[ChannelGroup, ...]:
        """Channel groups, in the order in which the network makes them."""

    @property
    def repeats(self) -> tuple[Repeat, ...]:
        """Residual bottlenecks, in the order in which they run."""

    def check(self, spec: ArchSpec) -> None:
        """Raise `SpaceError` if a spec is not one of this network."""


def order(
    candidate: Candidate,
    parent: DenseNetwork,
    criterion: Criterion = "l2",
    *,
    gradients: State | None = None,
    after_sparsity: bool = False,
    seed: int = 0,
) -> dict[str, tuple[int, ...]]:
    """Return kept channels of each group of a candidate, best first, in the parent's numbering; see `scores`."""
    found = scores(candidate, parent, criterion, gradients=gradients, after_sparsity=after_sparsity, seed=seed)
    return best_first(found)


def best_first(scores: Mapping[str, Mapping[int, float]]) -> dict[str, tuple[int, ...]]:
    """Return channels of each group in falling importance; of equal ones the lower number first."""
    return {name: tuple(sorted(of, key=lambda channel: (-of[channel], channel))) for name, of in scores.items()}


def scores(
    candidate: Candidate,
    parent: DenseNetwork,
    criterion: Criterion = "l2",
    *,
    gradients: State | None = None,
    after_sparsity: bool = False,
    seed: int = 0,
) -> Scores:
    """Return importance of each kept channel of each group, at least 0.

    `l1`, `l2`: magnitude of the convolutions' weights. Not comparable between groups, which differ in size.
    `lamp`: the same, weighted within each layer. Comparable.
    `taylor`: change of the loss without the channel, to first order. Comparable.
    `batchnorm`: the scales of batch norms. A group without any batch norm scores infinity: a threshold or a
    ranking of all channels leaves it whole, and its order is that of the channels' numbers.
    `random`: uniform in [0, 1). A channel keeps its number, whatever else was cut.

    A group whose layers all lie in dropped bottlenecks scores 0.

    Args:
        gradients: For `taylor`: the loss's gradients by parameter name of the candidate's network
            (`objectives.training.gradients`).
        after_sparsity: For `batchnorm`: whether the candidate was trained with sparsity. Otherwise the scales do not
            show importance.
        seed: Seed for `random`.

    Raises:
        SpaceError: If the candidate is of another parent, there is no such criterion, or what it needs is missing.
    """
    parent.check(candidate.spec)
    _check(criterion, gradients, after_sparsity)
    if criterion == "random":
        return _random(candidate, parent, seed)
    return _summed(candidate, parent, criterion, gradients, _total)


def mean_scales(candidate: Candidate, parent: DenseNetwork, *, after_sparsity: bool) -> Scores:
    """Return, for slimming at a threshold, each channel's mean |scale| over the group's batch norms.

    A group without any batch norm has infinity, so that no threshold cuts it.

    Raises:
        SpaceError: If the candidate is of another parent, or was not trained with sparsity.

    Source: Liu et al., ICCV 2017; the mean over coupled batch norms is ours.
    """
    parent.check(candidate.spec)
    _check("batchnorm", None, after_sparsity)
    return _summed(candidate, parent, "batchnorm", None, lambda terms: torch.stack(terms).mean(0))


def _check(criterion: Criterion, gradients: State | None, after_sparsity: bool) -> None:
    if criterion not in CRITERIA:
        raise SpaceError(f"no criterion '{criterion}'; there are {', '.join(CRITERIA)}")
    if criterion == "taylor" and gradients is None:
        raise SpaceError("criterion 'taylor' needs the loss's gradients; none are given")
    if criterion == "batchnorm" and not after_sparsity:
        raise SpaceError(
            "criterion 'batchnorm' reads scales that show nothing without sparsity training; "
            "set after_sparsity if the weights come from one"
        )


def _total(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum(0)


def _summed(
    candidate: Candidate,
    parent: DenseNetwork,
    criterion: Criterion,
    gradients: State | None,
    reduce: Callable[[list[Tensor]], Tensor],
) -> Scores:
    spec = candidate.spec
    state = _made_first(parent, parent.structure.whole_state(spec, candidate.network.state_dict()))
    if gradients is not None:
        gradients = _made_first(parent, _whole_gradients(candidate, parent, gradients))
    terms = _Terms(state, criterion, gradients)
    found = {}
    for group, numbers in zip(_as_cut(candidate, parent), spec.kept, strict=True):
        of_members = list(terms.of(group))
        if of_members:
            values = reduce(of_members).tolist()
        else:
            present = any(f"{member.module}.weight" in state for member in group.members)
            values = [math.inf if present else 0.0] * group.width
        found[group.name] = dict(zip(numbers, values, strict=True))
    return found


def _made_first(parent: DenseNetwork, state: State) -> State:
    """Return tensors in which each weight has the channels that it makes first, also a transposed convolution's."""
    transposed = [f"{name}.weight" for name in parent.structure.plan.transposed]
    return {**state, **{name: state[name].transpose(0, 1) for name in transposed if name in state}}


def _whole_gradients(candidate: Candidate, parent: DenseNetwork, gradients: State) -> State:
    """Return a candidate's gradients under the parent's names.

    Raises:
        SpaceError: If they are not those of the candidate's network.
    """
    for name, parameter in candidate.network.named_parameters():
        if name not in gradients:
            raise SpaceError(f"no gradient of '{name}' is given; gradients must be of the candidate's own network")
        if gradients[name].shape != parameter.shape:
            raise SpaceError(
                f"the gradient of '{name}' is {tuple(gradients[name].shape)}, the tensor {tuple(parameter.shape)}; "
                "gradients must be of the candidate's own network"
            )
    parameters = tuple(name for name, _ in parent.network.named_parameters())
    return parent.structure.shortening(candidate.spec).restored(gradients, parameters)


class _Terms:
    """Terms of each member for its group's channels. Each layer is computed once for all its groups."""

    def __init__(self, state: State, criterion: Criterion, gradients: State | None) -> None:
        self._state, self._criterion, self._gradients = state, criterion, gradients
        self._layers: dict[tuple[str, Side], Tensor | None] = {}

    def of(self, group: ChannelGroup) -> Iterator[Tensor]:
        """Return the terms (width,), float64, of each member that counts in the criterion."""
        for member in group.members:
            key = (member.module, member.side)
            if key not in self._layers:
                self._layers[key] = channel_terms(self._state, *key, self._criterion, self._gradients)
            layer = self._layers[key]
            if layer is not None:
                own = layer[list(member.positions)]
                yield layer_adaptive(own) if self._criterion == "lamp" else own


def _as_cut(candidate: Candidate, parent: DenseNetwork) -> Iterator[ChannelGroup]:
    """Return the groups as they lie in the candidate's network: their kept channels at their positions there."""
    kept = parent.structure.plan.kept(candidate.spec)
    for group, numbers in zip(parent.groups, candidate.spec.kept, strict=True):
        yield _renumbered(group, kept, numbers)


def _renumbered(
    group: ChannelGroup, kept: Mapping[tuple[str, Side], Indices], numbers: tuple[int, ...]
) -> ChannelGroup:
    members = tuple(
        member._replace(
            positions=tuple(
                np.searchsorted(kept[member.module, member.side], [member.positions[n] for n in numbers]).tolist()
            ),
        )
        for member in group.members
    )
    return replace(group, width=len(numbers), members=members)


def _random(candidate: Candidate, parent: DenseNetwork, seed: int) -> Scores:
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.rand(group.width, generator=generator, dtype=torch.float64).tolist() for group in parent.groups]
    return {
        group.name: {number: values[number] for number in numbers}
        for group, values, numbers in zip(parent.groups, drawn, candidate.spec.kept, strict=True)
    }


def repeat_scores(candidate: Candidate, parent: DenseNetwork) -> dict[str, float]:
    """Return the contribution of each residual bottleneck of a candidate, relative to those in the same list.

    The output of a bottleneck's last convolution, with its batch norm folded in, is added to the residual stream. The
    score is the norm ||scale * W / sqrt(variance + eps)||, divided by the mean over the list. So 1 is the average
    bottleneck of a block, and a single one has 1: the scores rank bottlenecks within a block; across blocks they
    show only how uneven a block is.

    Returns:
        By the bottleneck's name in the parent, in the parent's order.

    Raises:
        SpaceError: If the candidate is of another parent.

    Source: ours. Single residual branches can be left out: Veit et al., NeurIPS 2016 (arXiv:1605.06431).
    """
    parent.check(candidate.spec)
    state = parent.structure.whole_state(candidate.spec, candidate.network.state_dict())
    norms: dict[str, dict[str, float]] = {}
    for repeat in parent.repeats:
        if repeat.name not in candidate.spec.dropped:
            norms.setdefault(repeat.container, {})[repeat.name] = _folded_norm(parent, repeat.name, state)
    found = {name: norm * len(of) / (sum(of.values()) or 1.0) for of in norms.values() for name, norm in of.items()}
    return {repeat.name: found[repeat.name] for repeat in parent.repeats if repeat.name in found}


def _folded_norm(parent: DenseNetwork, bottleneck: str, state: State) -> float:
    """Return the Frobenius norm of a bottleneck's last convolution with its batch norm folded in."""
    norms = [
        (name, module.eps)
        for name, module in parent.network.get_submodule(bottleneck).named_modules(prefix=bottleneck)
        if isinstance(module, nn.BatchNorm2d)
    ]
    norm, eps = norms[-1]
    weight = state[f"{norm.removesuffix('bn')}conv.weight"].double()
    factor = state[f"{norm}.weight"].double() / (state[f"{norm}.running_var"].double() + eps).sqrt()
    return (factor[:, None, None, None] * weight).square().sum().sqrt().item()
