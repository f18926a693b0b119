"""Activations of single modules that differ from the YAML's: kept in the resolved model, and set after it is built.

A YAML has one activation for all convolutions (`activation: nn.ReLU()`). Where all have changed, that key says so.
Others go into `activations`: by the path of the module, such as `model.9.cv1.act`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from spaces.base import SpaceError
from spaces.shown import shown_value
from spaces.structure.module_facts import Difference, is_activation

ACTIVATIONS = "activations"
"""Key of a resolved model: activations by the path of their module; absent if the YAML says all."""
MOST = 2000
"""Maximum number of modules."""
_TEXT = re.compile(r"nn\.(?P<kind>[A-Za-z0-9]+)\((?:(?P<name>[a-z_]+)=)?(?P<value>[A-Za-z0-9_.+-]*)\)")


def activation_of(text: Any) -> nn.Module:
    """Return the activation that a text names: a class of torch with at most one number as its argument.

    Raises:
        SpaceError: If it is anything else. Nothing is evaluated.
    """
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    kind: Any = getattr(nn, found["kind"], None) if found else None
    known = isinstance(kind, type) and (kind.__module__ == "torch.nn.modules.activation" or kind is nn.Identity)
    if found is None or not known:
        raise SpaceError(f"the activation {shown_value(text)} is not one that can be set; nn.ReLU() is right")
    try:
        value = _plain(found["value"]) if found["value"] else None
        arguments, named = ([value], {}) if not found["name"] else ([], {found["name"]: value})
        made: nn.Module = kind(*(arguments if found["value"] else []), **(named if found["value"] else {}))
    except (TypeError, ValueError) as error:
        raise SpaceError(f"the activation {shown_value(text)} cannot be made: {error}") from None
    if any(True for _ in made.parameters()):
        raise SpaceError(f"the activation {shown_value(text)} has weights, which tie all channels; it cannot be set")
    if "inplace" in vars(made):
        vars(made)["inplace"] = True  # as Ultralytics sets it
    return made


def _plain(text: str) -> float | bool | str:
    if text in ("True", "False"):
        return text == "True"
    return text if text in ("tanh", "none") else float(text)


def set_activations(network: nn.Module, model: Mapping[str, Any]) -> None:
    """Set the activations that a resolved model names, in place.

    Raises:
        SpaceError: If a path is that of no activation of this network, or a text is none.
    """
    given = model.get(ACTIVATIONS)
    if given is None:
        return
    if not isinstance(given, Mapping) or len(given) > MOST:
        raise SpaceError(f"'{ACTIVATIONS}' is {shown_value(given)}; it must name activations by path")
    modules = dict(network.named_modules(remove_duplicate=False))
    for path, text in given.items():
        own, parent = modules.get(path), modules.get(str(path).rpartition(".")[0])
        if own is None or parent is None or any(True for _ in own.parameters()) or any(True for _ in own.children()):
            raise SpaceError(f"'{ACTIVATIONS}' names {shown_value(path)}, which is no activation of this network")
        setattr(parent, str(path).rpartition(".")[2], activation_of(text))


def with_activation(model: Mapping[str, Any], found: Sequence[Difference]) -> dict[str, Any]:
    """Return a model whose YAML names the activation that most of the differing modules have.

    Raises:
        SpaceError: If it is one that cannot be set.
    """
    texts = Counter(each.theirs for each in found if is_activation(each.theirs) and each.theirs != "nn.Identity()")
    (text, _), *_ = texts.most_common(1) or [(None, 0)]
    if text is None:
        return dict(model)
    activation_of(text)
    return {**model, "activation": text}


def with_single_activations(model: Mapping[str, Any], found: Sequence[Difference]) -> dict[str, Any]:
    """Return a model that names the activations of these modules one by one."""
    own = {each.path: each.theirs for each in found if is_activation(each.theirs) and is_activation(each.ours)}
    return {**model, ACTIVATIONS: own} if own else dict(model)
