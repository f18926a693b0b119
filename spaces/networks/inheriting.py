"""Takes a user's weights into the parent: a model that describes the network in the file, and its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from spaces.base import SpaceError
from spaces.networks.class_matching import Matching, in_order
from spaces.networks.weights import WeightsFile
from spaces.structure import class_towers, stock
from spaces.structure.activations import ACTIVATIONS, with_activation, with_single_activations
from spaces.structure.module_facts import Difference, differences, is_activation, module_facts
from spaces.structure.repeats import Detector

LEAST_SHARED = 0.5
"""Share of a network's tensors that must fit where the file does not name its model."""


def model_of_file(
    model: Mapping[str, Any], names: Sequence[str], file: WeightsFile, matching: Matching
) -> dict[str, Any]:
    """Return a resolved model as the network in the file is: its class towers, if the classes match; its activations.

    Raises:
        SpaceError: If the network in the file differs in what a model cannot say; the message names the module.
    """
    own = {class_towers.KEY, *([ACTIVATIONS] if file.modules else [])}
    plain = {name: value for name, value in model.items() if name not in own}
    network = stock.build(plain, names, imgsz=640, seed=0)
    found = _as_in_file(plain, names, file, network)
    width = class_towers.class_width_in(file.state, network)
    standard = class_towers.class_width(network)
    possible = standard is not None and width not in (None, standard)
    if matching.order is None or not possible or not class_towers.is_possible(network, int(width or 0)):
        return found
    return {**found, class_towers.KEY: width}


def _as_in_file(plain: Mapping[str, Any], names: Sequence[str], file: WeightsFile, network: Detector) -> dict[str, Any]:
    """Return a model with the activations of the file's network."""
    differing = list(differences(file.modules, module_facts(network))) if file.modules else []
    if not differing:
        return dict(plain)
    _check_differences(file, differing)
    try:
        usual = with_activation(plain, differing)
    except SpaceError as error:
        raise SpaceError(f"weights '{file.path}': {error}") from error
    left = list(differences(file.modules, module_facts(stock.build(usual, names, imgsz=640, seed=0))))
    if len(left) >= len(differing):  # single modules, or blocks that do not take the YAML's activation
        usual, left = dict(plain), differing
    single = with_single_activations(usual, left)
    rebuilt = stock.build(single, names, imgsz=640, seed=0)
    _check_differences(file, list(differences(file.modules, module_facts(rebuilt))), all_kinds=True)
    return single


def _check_differences(file: WeightsFile, found: Sequence[Difference], *, all_kinds: bool = False) -> None:
    for each in found:
        if all_kinds or not (is_activation(each.theirs) and is_activation(each.ours)):
            there, here = (text or "absent" for text in (each.theirs, each.ours))
            raise SpaceError(
                f"weights '{file.path}' hold a network that was changed beside its YAML: '{each.path}' is {there} "
                f"there and {here} by the YAML; write the change into a model YAML, or train the model as it is"
            )


def inherit(network: Detector, file: WeightsFile, matching: Matching) -> float:
    """Load a file's tensors into a network: all of them if the classes match, else those that fit.

    Returns:
        Share of the network's tensors that were loaded.

    Raises:
        SpaceError: If they are another network's, or not finite.
    """
    same, called = matching.order is not None, network.yaml["yaml_file"]
    state = in_order(file.state, matching.order) if matching.order is not None else file.state
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in state.items() if name in own and tensor.shape == own[name].shape}
    odd = sorted((own.keys() | state.keys()) - fitting.keys())
    if not same:  # the head depends on the classes; the model determines the rest, where the file names it
        head = f"model.{len(network.model) - 1}."
        known = file.model is not None or len(fitting) < LEAST_SHARED * len(own)
        odd = [name for name in odd if known and not name.startswith(head)]
    if odd and fitting:
        other = "" if file.model is not None else "; give the YAML of their model: -o parent.model=YAML"
        raise SpaceError(
            f"weights '{file.path}' are not those of {called}: tensor '{odd[0]}' is "
            f"{_shape(state, odd[0])} there and {_shape(own, odd[0])} in the model{other}"
        )
    if not fitting:
        raise SpaceError(f"weights '{file.path}' have no tensor in common with {called}")
    if any(not torch.isfinite(tensor).all() for tensor in fitting.values()):
        raise SpaceError(f"weights '{file.path}' hold values that are not finite")
    network.load_state_dict(fitting, strict=same)
    return len(fitting) / len(own)


def _shape(state: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(state[name].shape)) if name in state else "absent"
