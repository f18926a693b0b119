"""Refuses a model that would exhaust memory or time, before any of its tensors is made: a YAML may hold any numbers."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.anchors.rows import is_anchored, without_head
from spaces.base import SpaceError

# isort: split
from ultralytics.nn.tasks import parse_model

MOST_PARAMETERS = 150_000_000
"""Maximum number of parameters; the largest detector of Ultralytics has 111 million."""
MOST_VALUES = 150_000_000
"""Maximum number of values that all layers make of one image of `PROBED_PX`; at most 88 million in those detectors."""
LARGEST_ARGUMENT = 8192
"""Maximum number in a layer's arguments: channels, kernels, repeats."""
MOST_REPEATS = 1000
"""Maximum number of layers after all repeats."""
PROBED_PX = 256
"""Image size with which Ultralytics runs a model when it builds it."""


def check_cost(name: str, model: Mapping[str, Any]) -> None:
    """Make sure that a resolved model can be built within bounds.

    Raises:
        SpaceError: If it is too large.
    """
    rows = [*model["backbone"], *model["head"]]
    largest = max((abs(number) for row in rows for number in _numbers(row[3])), default=0)
    if largest > LARGEST_ARGUMENT:
        raise SpaceError(f"model '{name}' has the argument {largest:g} in a layer; at most {LARGEST_ARGUMENT} is built")
    factor = max([1.0, *(scale[0] for scale in (model.get("scales") or {}).values()), model.get("depth_multiple", 1.0)])
    if (repeats := sum(row[1] * factor for row in rows)) > MOST_REPEATS:
        raise SpaceError(f"model '{name}' has {repeats:.0f} layers with all repeats; at most {MOST_REPEATS} are built")
    parameters, values = _cost(json.dumps(without_head(model) if is_anchored(model) else model))
    for count, most, what in (
        (parameters, MOST_PARAMETERS, "parameters"),
        (values, MOST_VALUES, "values between layers"),
    ):
        if count > most:
            raise SpaceError(f"model '{name}' has {count / 1e6:.0f} million {what}; at most {most / 1e6:.0f} are built")


def _numbers(value: Any) -> list[float]:
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


@lru_cache(maxsize=64)
def _cost(model: str) -> tuple[int, int]:
    """Return parameters and values between layers, without memory for either; zeros for a model that is not built."""
    values = 0

    def count(_module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal values
        values += output.numel() if isinstance(output, torch.Tensor) else 0

    parameters, hooks = 0, []
    try:
        with torch.device("meta"), torch.no_grad():
            layers, saved = parse_model(copy.deepcopy(json.loads(model)), ch=3, verbose=False)
            parameters = sum(tensor.numel() for tensor in layers.parameters())
            for module in layers.modules():
                if not any(True for _ in module.children()):
                    hooks.append(module.register_forward_hook(count))
            _run(layers, saved)
    except Exception:  # building it for good tells what is wrong, in the words of its layer
        pass
    finally:
        for hook in hooks:  # Ultralytics shares one activation among all models of a process
            hook.remove()
    return parameters, values


def _run(layers: Any, saved: list[int]) -> None:
    """Run the layers as Ultralytics does, the head excepted."""
    x: Any = torch.zeros(1, 3, PROBED_PX, PROBED_PX)
    kept: list[Any] = []
    for layer in list(layers)[:-1]:
        if layer.f != -1:
            x = kept[layer.f] if isinstance(layer.f, int) else [x if j == -1 else kept[j] for j in layer.f]
        x = layer(x)
        kept.append(x if layer.i in saved else None)
