"""Facts about a network that neither its YAML nor its tensors tell: kinds and settings of its modules, as short texts.

People change a network in memory or in the code: other activations, another epsilon, a pooling of another size. The
YAML in their file does not say so. A network that is built again from YAML and tensors would be another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import nn

from spaces.shown import shown

_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "Conv2d": ("kernel_size", "stride", "padding", "dilation"),
    "ConvTranspose2d": ("kernel_size", "stride", "padding", "output_padding"),
    "BatchNorm2d": ("eps",),
    "MaxPool2d": ("kernel_size", "stride", "padding"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "Upsample": ("size", "scale_factor", "mode"),
}
"""Attributes that decide what a module of torch computes, beside its tensors."""
_OF_BLOCKS = ("add", "d", "f", "num_heads", "reg_max", "shortcut")
"""Those of Ultralytics' blocks: shortcuts, the sources of a layer, the axis of a concatenation."""
_WITHOUT_EFFECT = ("Identity", "Dropout", "Dropout2d", "DropPath")
_LONGEST = 80


class Difference(NamedTuple):
    """A module that differs; its text is None in the network that lacks it."""

    path: str
    theirs: str | None
    ours: str | None


def is_activation(text: str | None) -> bool:
    """Return whether the text of a module is that of an activation, or of none (`nn.Identity()`)."""
    return text is not None and text.startswith("nn.")


def module_facts(network: nn.Module) -> dict[str, str]:
    """Return a text for each module: `nn.ReLU()`, `Conv2d(kernel_size=(3, 3), ...)`, `Bottleneck(add=True)`.

    Args:
        network: It may come from a file: its attributes may be missing or of any kind.
    """
    return {name: _fact(module) for name, module in network.named_modules(remove_duplicate=False)}


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[Difference]:
    """Yield the modules that compute something else, in order. Missing tensors are for others to find."""
    for path in dict.fromkeys((*theirs, *ours)):
        pair = (theirs.get(path), ours.get(path))
        if None in pair:
            there = pair[0] or pair[1] or ""
            if is_activation(there) and there != "nn.Identity()":
                yield Difference(path, *pair)
        elif pair[0] != pair[1] and not _is_unknown(*pair):
            yield Difference(path, *pair)


def _fact(module: nn.Module) -> str:
    kind = type(module)
    if kind.__module__ == "torch.nn.modules.activation" or kind is nn.Identity:
        return f"nn.{kind.__name__}({_arguments(module)})"
    names = _SETTINGS.get(kind.__name__, _OF_BLOCKS)
    values = [(name, vars(module)[name]) for name in names if name in vars(module)]
    return f"{kind.__name__}({', '.join(f'{name}={_text(value)}' for name, value in values)})"


def _arguments(module: nn.Module) -> str:
    try:
        given = [part for part in module.extra_repr().split(", ") if part and not part.startswith("inplace")]
    except Exception:  # an attribute that is missing or of another kind
        return "?"
    return shown(", ".join(given), most=_LONGEST)


def _text(value: Any) -> str:
    plain = isinstance(value, bool | int | float | str | tuple | list | None)
    return shown(value if plain else type(value).__name__, most=_LONGEST)


def _is_unknown(theirs: str | None, ours: str | None) -> bool:
    """Return whether two texts differ only in settings that one of them lacks, as between versions of Ultralytics."""
    kinds = [(text or "").partition("(")[0] for text in (theirs, ours)]
    if kinds[0] != kinds[1] or is_activation(theirs):
        return all(kind in _WITHOUT_EFFECT or kind == "nn.Identity" for kind in kinds)
    first, second = (_settings(text or "") for text in (theirs, ours))
    return all(first[name] == second[name] for name in first.keys() & second.keys())


def _settings(text: str) -> dict[str, str]:
    inner = text.partition("(")[2].removesuffix(")")
    found, depth, begin = [], 0, 0
    for place, sign in enumerate(inner):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            found.append(inner[begin:place])
            begin = place + 1
    return dict(part.strip().partition("=")[::2] for part in [*found, inner[begin:]] if part)
