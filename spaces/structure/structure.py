"""Structure of a detector: its channel groups and residual bottlenecks, and their places. Derived once."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.anchors.anchor_head import AnchorDetect
from spaces.base import ArchSpec, Section, SpaceError
from spaces.structure.coupling import groups_of
from spaces.structure.groups import ChannelGroup, CutPlan, tied
from spaces.structure.heads import CUT_HEADS, HEADS, head_outputs, inputs_of_head
from spaces.structure.repeats import Detector, Repeat, Shortening, found_in
from spaces.structure.slicing import HALVED, Slicer, resized, sizes_of, transposed_in
from spaces.structure.tracer import LabelTracer

# isort: split
from ultralytics.nn.modules.block import Attention

TRACE_PX = 64  # side of the square image that is traced: coupling does not depend on it, and a small image is fast


@dataclass(frozen=True)
class Structure:
    """Channel groups and bottlenecks of a detector, determined by its YAML and class count whatever its weights.

    Attributes:
        key: Hash of the resolved model YAML and the class count.
        network: A network of this structure; only its modules are used, never its weights.
        layer_sections: For each top-level layer, the part of the detector that it belongs to.
        layer_stages: For each top-level layer, the power of two by which its output is smaller than the
            image; for the head that of its finest tower.
        repeats: The residual bottlenecks that can be left out, in the order in which they run.
        unknown_operations: Operations that the tracer does not know, with the module that holds them; the channels
            that they read stay whole.
    """

    key: str
    network: Detector
    groups: tuple[ChannelGroup, ...]
    layer_sections: tuple[Section, ...]
    layer_stages: tuple[int, ...]
    repeats: tuple[Repeat, ...] = ()
    unknown_operations: tuple[str, ...] = ()

    @cached_property
    def plan(self) -> CutPlan:
        """Place of each group's channels in each layer."""
        return CutPlan(self.groups, sizes_of(self.network), transposed_in(self.network))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(group.name for group in self.groups)

    @cached_property
    def _widths(self) -> tuple[int, ...]:
        return tuple(group.width for group in self.groups)

    def spec(self, kept: tuple[tuple[int, ...], ...], dropped: Collection[str] = ()) -> ArchSpec:
        """Return the spec that keeps these channels of each group, without these bottlenecks; canonical.

        Raises:
            SpaceError: If there is no such bottleneck, or a group keeps what it does not have.
        """
        if not dropped:
            return ArchSpec(self.key, self._names, self._widths, kept)
        inner = self.groups_inside(dropped)
        whole = tuple(
            tuple(range(width)) if index in inner else channels
            for index, (width, channels) in enumerate(zip(self._widths, kept, strict=True))
        )
        return ArchSpec(self.key, self._names, self._widths, whole, self.without(dropped))

    def spec_of_widths(self, widths: Sequence[int], dropped: Collection[str] = ()) -> ArchSpec:
        """Return the spec that keeps the first channels of each group, in the structure's order of groups."""
        return self.spec(tuple(tuple(range(width)) for width in widths), dropped)

    def without(self, dropped: Collection[str]) -> tuple[str, ...]:
        """Return these names of bottlenecks in the parent's order.

        Raises:
            SpaceError: If there is no such bottleneck.
        """
        names = [repeat.name for repeat in self.repeats]
        for name in dropped:
            if name not in names:
                raise SpaceError(f"the parent has no residual bottleneck '{name}'; it has {', '.join(names) or 'none'}")
        return tuple(name for name in names if name in dropped)

    def groups_inside(self, dropped: Collection[str]) -> frozenset[int]:
        """Return indices of the groups that lie wholly inside these bottlenecks and are dropped with them."""
        places = tuple(f"{name}." for name in dropped)
        return frozenset(
            index
            for index, group in enumerate(self.groups)
            if dropped and all(member.module.startswith(places) for member in group.members)
        )

    def shortening(self, spec: ArchSpec) -> Shortening:
        """Return the changes of names and shapes that the dropped bottlenecks of a spec make."""
        return Shortening(tuple(repeat for repeat in self.repeats if repeat.name in spec.dropped))

    @cached_property
    def tensor_names(self) -> tuple[str, ...]:
        """Names in the state dict of an uncut network."""
        return tuple(self.network.state_dict())

    def whole_state(self, spec: ArchSpec, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return a cut network's tensors under the parent's names; those of dropped bottlenecks are absent."""
        return self.shortening(spec).restored(state, self.tensor_names) if spec.dropped else state

    @cached_property
    def full_spec(self) -> ArchSpec:
        """Spec that keeps everything."""
        return self.spec_of_widths(self._widths)


def raw_outputs(network: Detector, images: Tensor) -> list[Tensor]:
    """Return the outputs of the head before decoding, in the order of `heads.head_outputs`.

    Args:
        images: (N, 3, H, W), H and W multiples of 32.

    Returns:
        Box tensors (N, 4 * reg_max, h, w) and class tensors (N, classes, h, w), tower by tower; from the head of the
        original YOLOv5 (N, anchors * (5 + classes), h, w). Other tasks add mask coefficients, keypoints or angles
        (N, numbers, h, w) and prototypes (N, masks, h, w); a classifier has (N, classes) alone.
    """
    return [output for _, output in head_outputs(network, _layer_outputs(network, images))]


def derive(key: str, network: Detector) -> Structure:
    """Derive the structure of a detector by tracing, and check on an example that the detector can be cut.

    Args:
        network: An Ultralytics `DetectionModel`. Not modified.

    Raises:
        SpaceError: If the detector holds a head or a block that cannot be cut.
    """
    head = network.model[-1]
    if type(head) not in (*(kind.head_class for kind in HEADS.values()), AnchorDetect):
        raise SpaceError(f"layer model.{head.i} is {type(head).__name__}; {CUT_HEADS}")
    network = copy.deepcopy(network).eval()
    sections = _sections(network)
    with torch.no_grad():
        images = torch.zeros(1, 3, TRACE_PX, TRACE_PX)
        outputs = _layer_outputs(network, images)
        stages = [_stage(output) for output in outputs]
        stages.append(min(map(_stage, inputs_of_head(network, outputs))))
        tracer = _trace(network, images)
        made = [(name, output) for name, output in head_outputs(network, outputs) if output.ndim > 2]
    tower_stage = {f"model.{head.i}.{name}": _stage(output) for name, output in made}

    def place_of(layer: str) -> tuple[Section, int]:
        index = int(layer.split(".")[1])
        return sections[index], tower_stage.get(".".join(layer.split(".")[:4]), stages[index])

    repeats = found_in(network, sections, stages)
    groups = groups_of(tracer, place_of)
    if not groups:
        ties = ", ".join(dict.fromkeys(each.partition(" in ")[0] for each in tracer.unknown)) or "its layers"
        hint = "; take nn.LeakyReLU(0.1) in place of nn.PReLU()" if "prelu" in ties else ""
        raise SpaceError(f"nothing can be cut: all channels are fixed by {ties}{hint}")
    structure = Structure(key, network, groups, sections, tuple(stages), repeats, tuple(tracer.unknown))
    _try_cut(structure)
    return structure


def _trace(network: Detector, images: Tensor) -> LabelTracer:
    running: list[tuple[str, nn.Module]] = []  # innermost last

    def stored_split() -> bool:
        return bool(running) and isinstance(running[-1][1], HALVED)

    tracer = LabelTracer(network, stored_split, lambda: running[-1][0] if running else "the network")

    def leave(*_: object) -> None:
        running.pop()

    def fix_input(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:  # a returned value would replace the input
        tracer.fix(inputs[0])

    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, Attention):  # reshapes with the width of its input
            hooks.append(module.register_forward_pre_hook(fix_input))
        hooks.append(module.register_forward_pre_hook(lambda m, _, name=name: running.append((name, m))))
        hooks.append(module.register_forward_hook(leave))
    try:
        with tracer:
            for output in raw_outputs(network, images):
                tracer.fix(output)
    finally:
        for hook in hooks:
            hook.remove()
    return tracer


def _layer_outputs(network: Detector, images: Tensor) -> list[Tensor]:
    """Return outputs of all top-level layers but the head, as `BaseModel._predict_once` computes them."""
    outputs: list[Tensor] = []
    x = images
    for layer in list(network.model)[:-1]:
        x = layer(_inputs(layer, x, outputs))
        outputs.append(x)
    return outputs


def _inputs(layer: Any, x: Tensor, outputs: list[Tensor]) -> Tensor | list[Tensor]:
    if isinstance(layer.f, int):
        return x if layer.f == -1 else outputs[layer.f]
    return [x if j == -1 else outputs[j] for j in layer.f]


def _stage(output: Tensor | Sequence[Tensor]) -> int:
    """Return the stage of a layer; several outputs (CBLinear of YOLOv9e) are all of one size."""
    tensor = output if isinstance(output, Tensor) else output[0]
    return round(math.log2(TRACE_PX / tensor.shape[-1]))


def _sections(network: Detector) -> tuple[Section, ...]:
    layers, backbone = len(network.model), len(network.yaml["backbone"])
    found: list[Section] = ["neck"] * layers
    found[:backbone] = ["backbone"] * backbone
    found[-1] = "detect"
    return tuple(found)


def _try_cut(structure: Structure) -> None:
    """Cut every group to half and run the result; a block that stores widths we do not know of fails here."""
    kept = [tuple(range((group.width + 1) // 2)) for group in structure.groups]
    for indices in tied(structure.groups).values():
        for index in indices:
            kept[index] = kept[indices[0]]
    network = structure.network
    slicer = Slicer(structure.plan, structure.spec(tuple(kept)))
    cut = resized(network, {name: slicer.take(name, tensor) for name, tensor in network.state_dict().items()})
    entered: list[Any] = []
    record: Callable[..., None] = lambda module, _: entered.append(module)  # noqa: E731
    for layer in cut.model:
        layer.register_forward_pre_hook(record)
    try:
        with torch.no_grad():
            cut(torch.zeros(1, 3, TRACE_PX, TRACE_PX))
    except (RuntimeError, IndexError, ValueError, AssertionError) as error:
        layer = entered[-1]
        reason = str(error).splitlines()[0]
        raise SpaceError(f"layer model.{layer.i} ({type(layer).__name__}) cannot be cut: {reason}") from error
