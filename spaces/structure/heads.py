"""Heads that can be cut, each with its task, its network and its raw outputs; and the layers whose channels are cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.structure.repeats import Detector
from spaces.task_names import HEAD_TASKS, NETWORK_TASKS

# isort: split
from ultralytics.nn import tasks
from ultralytics.nn.modules import head as modules


@dataclass(frozen=True)
class HeadKind:
    """Kind of a head.

    Attributes:
        name: Its class in a model YAML.
        task: Task of its networks, as Ultralytics names it.
        network: Ultralytics' class of its networks.
    """

    name: str
    task: str
    network: str

    @property
    def head_class(self) -> type[nn.Module]:
        """Ultralytics' class of the head."""
        found: type[nn.Module] = getattr(modules, self.name)
        return found

    @property
    def network_class(self) -> type[nn.Module]:
        """Ultralytics' class of the whole network."""
        found: type[nn.Module] = getattr(tasks, self.network)
        return found


_NETWORKS = {task: name for name, task in NETWORK_TASKS.items()}
HEADS: Mapping[str, HeadKind] = MappingProxyType(
    {name: HeadKind(name, task, _NETWORKS[task]) for name, task in HEAD_TASKS.items()}
)
"""All heads that can be cut, by their class in a model YAML."""
CUT_HEADS = "heads that can be cut are Detect, Segment, Pose, OBB and Classify"
_DETECTING = ("cv2", "cv3", "one2one_cv2", "one2one_cv3", "m")
"""Towers of a Detect head, and the convolutions of an anchor-based one: the order of groups follows from this one."""


def head_kind(model: Mapping[str, Any]) -> HeadKind:
    """Return the kind of a resolved model's head; the anchor-based one of an original YOLOv5 counts as Detect."""
    return HEADS[model["head"][-1][2]]


def task_of(network: Detector) -> str:
    """Return the task of a network, by its head."""
    return head_kind(network.yaml).task


def has_class_towers(network: Detector) -> bool:
    """Return whether the head has towers that give a score for each class (`cv3`), and is no anchor-based one."""
    head = network.model[-1]
    return any(type(head) is kind.head_class for kind in HEADS.values()) and hasattr(head, "cv3")


def inputs_of_head(network: Detector, outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return what the head reads.

    Args:
        outputs: Outputs of all top-level layers before it.
    """
    sources = network.model[-1].f
    return [outputs[index] for index in ([sources] if isinstance(sources, int) else sources)]


def head_outputs(network: Detector, outputs: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the outputs of the head before decoding, each with the name of the part that makes it, such as `cv2.0`.

    Boxes and scores first, then mask coefficients, keypoints or angles, then prototypes; of a classifier the scores
    before the softmax.

    Args:
        outputs: Outputs of all top-level layers before it.
    """
    head, levels = network.model[-1], inputs_of_head(network, outputs)
    if isinstance(head, modules.Classify):
        made = head(levels[0])
        yield "linear", made[1] if isinstance(made, tuple) else made
        return
    for attribute in _DETECTING:
        for level, tower in enumerate(getattr(head, attribute, None) or ()):
            yield f"{attribute}.{level}", tower(levels[level])
    for attribute in ("cv4", "one2one_cv4"):
        yield from _further_towers(head, attribute, levels)
    if isinstance(head, modules.Segment):
        yield from _prototypes(head, levels)


def _further_towers(head: Any, attribute: str, levels: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the outputs of the towers of masks, keypoints or angles; those of Pose26 end in two convolutions each."""
    ends = [getattr(head, f"{attribute}_{end}", None) for end in ("kpts", "sigma")]
    for level, tower in enumerate(getattr(head, attribute, None) or ()):
        made = tower(levels[level])
        lasts = [end[level](made) for end in ends if end is not None]
        for output in lasts or (made,):
            yield f"{attribute}.{level}", output


def _prototypes(head: Any, levels: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the prototypes of masks, and of Segment26 also the map of classes, which only its training uses."""
    proto = head.proto
    if not isinstance(head, modules.Segment26):
        yield "proto", proto(levels[0])
        return
    was_training = proto.training
    proto.training = getattr(proto, "semseg", None) is not None  # of this module alone, not of those inside it
    try:
        made = proto(levels)
    finally:
        proto.training = was_training
    for output in made if isinstance(made, tuple) else (made,):
        yield "proto", output


def channel_layers(network: nn.Module) -> dict[str, nn.Module]:
    """Return the layers with weights whose channels can be cut, by name, in the order of the network's modules.

    Every convolution; in the head also transposed convolutions (prototypes) and linear layers (a classifier's).
    """
    layers: Any = getattr(network, "model", None)
    head = f"model.{len(layers) - 1}." if isinstance(layers, nn.Sequential) else None
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
        or (head is not None and name.startswith(head) and isinstance(module, nn.ConvTranspose2d | nn.Linear))
    }
