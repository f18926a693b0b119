"""Tracing of one label per channel through the operations of a network, to find coupled channels.

`LabelTracer` watches the aten operations of one forward pass. Labels are joined where channels meet (add, multiply,
depthwise convolution) and moved where they move (concat, split, permute, reshape). An operation that it does not
know fixes the channels that it reads: they are never cut, which is safe, and `unknown` names it.

Source: the idea of DepGraph (Fang et al., CVPR 2023, arXiv:2301.12900), by labels instead of a graph of layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from spaces.structure.groups import Side
from spaces.structure.heads import channel_layers
from spaces.structure.labels import FIXED, LabelBook, Labels
from spaces.structure.operations import BINARY, MIXING, POINTWISE, SPATIAL, tensors_of

aten = torch.ops.aten


class LabelTracer(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Mode in which a network is run; `uses` and `splits` then hold how its channels are coupled."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Refuse torch's compiler: its import takes seconds, and this class does not need it."""
        return False

    def __init__(
        self, network: nn.Module, stored_split: Callable[[], bool], running: Callable[[], str] = lambda: "the network"
    ) -> None:
        """Prepare to trace.

        Args:
            network: Network in evaluation mode, on the CPU.
            stored_split: Returns whether the split with stored sizes that runs now belongs to a module whose stored
                sizes are updated when the module is cut.
            running: Returns the name of the module that runs now.
        """
        super().__init__()  # type: ignore[no-untyped-call]  # nor here
        self.book = LabelBook()
        self.uses: dict[tuple[str, Side], Labels] = {}
        self.splits: list[list[Labels]] = []
        self.unknown: dict[str, None] = {}
        self._running = running
        self._stored_split = stored_split
        self._owners: dict[int, str] = {}  # id of a weight or of running statistics -> name of the layer
        for name, layer in channel_layers(network).items():
            self._owners[id(layer.weight)] = name
        for name, module in network.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                self._owners[id(module.running_mean)] = name
        self._turned: dict[int, tuple[Tensor, str]] = {}  # a linear layer's weight, turned for the product
        # The tensor is kept beside its labels, so that its id is not given to another one meanwhile.
        self._seen: dict[int, tuple[Tensor, int, Labels]] = {}
        self._handlers = self._make_handlers()

    def fix(self, tensor: Tensor) -> None:
        """Fix the channels of a tensor: network outputs, inputs whose width a module reads."""
        if id(tensor) in self._seen:
            self.book.fix(self._seen[id(tensor)][2])

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation and carry the labels of its inputs over to its outputs."""
        out = func(*args, **(kwargs or {}))
        handler = self._handlers.get(func.overloadpacket)
        # A convolution makes labels, also from an image that has none; a weight that is turned has none either.
        makes = func.overloadpacket in (aten.convolution, aten.t)
        if handler is not None and (makes or any(id(t) in self._seen for t in tensors_of(args))):
            handler(args, out)
        else:
            self._unknown(func.overloadpacket, (args, tuple((kwargs or {}).values())))
        return out

    def _unknown(self, operation: Any, values: Any) -> None:
        """Fix the channels that an unknown operation reads; store its name if that keeps channels whole."""
        seen = [self._seen[id(tensor)][2] for tensor in tensors_of(values) if id(tensor) in self._seen]
        if any([self.book.fix(labels) for labels in seen]):  # a list, so that all are fixed and not only the first
            self.unknown[f"{operation} in {self._running()}"] = None

    def _make_handlers(self) -> dict[Any, Callable[[tuple[Any, ...], Any], None]]:
        handlers: dict[Any, Callable[[tuple[Any, ...], Any], None]] = {
            aten.convolution: self._convolution,
            aten.t: self._turn,
            aten.native_batch_norm: self._batch_norm,
            aten.cat: self._cat,
            aten.stack: self._stack,
            aten.split: self._split,
            aten.split_with_sizes: self._split_with_sizes,
            aten.slice: self._slice,
            aten.view: self._view,
            aten._unsafe_view: self._view,
            aten.permute: self._permute,
            aten.transpose: self._transpose,
            aten.unsqueeze: self._unsqueeze,
            aten.sum: self._reduce,
            aten.mean: self._reduce,
            aten.constant_pad_nd: self._pad,
        }
        handlers.update({getattr(aten, name): self._pointwise for name in POINTWISE if hasattr(aten, name)})
        handlers.update({getattr(aten, name): self._spatial for name in SPATIAL if hasattr(aten, name)})
        handlers.update({getattr(aten, name): self._binary for name in BINARY})
        handlers.update({getattr(aten, name): self._mixing for name in MIXING if hasattr(aten, name)})
        handlers[aten.addmm] = self._linear
        return handlers

    # -- labels of tensors -----------------------------------------------------------------------------------------
    def _at(self, tensor: Tensor, dim: int) -> Labels:
        """Return the labels along that dimension; fixed ones where the tensor has none there."""
        if id(tensor) in self._seen:
            _, at, labels = self._seen[id(tensor)]
            if at == dim % tensor.ndim:
                return labels
            self.book.fix(labels)
        return np.full(tensor.shape[dim], FIXED, dtype=np.int64)

    def _set(self, tensor: Tensor, dim: int, labels: Labels) -> None:
        if tensor.shape[dim] != len(labels):
            self.book.fix(labels)
        else:
            self._seen[id(tensor)] = (tensor, dim, labels)

    def _use(self, module: str, side: Side, labels: Labels) -> None:
        first = self.uses.setdefault((module, side), labels)
        if first is not labels:  # the layer runs twice: both runs must read and make the same channels
            self.book.join(first, labels)

    # -- layers with weights ---------------------------------------------------------------------------------------
    def _convolution(self, args: tuple[Any, ...], out: Tensor) -> None:
        x, weight, transposed, groups = args[0], args[1], args[6], args[8]
        name, labels = self._owners.get(id(weight)), self._at(x, 1)
        depthwise = groups == weight.shape[0] == x.shape[1] and groups > 1 and not transposed
        if name is None or (groups > 1 and not depthwise):  # computed weights may have labels as well
            self._unknown(f"{'transposed ' * transposed}{'grouped ' * (groups > 1)}convolution", args)
            return
        made = self.book.new(out.shape[1])
        self._use(name, "out", made)
        if depthwise:
            self.book.join(made, labels)
        else:
            self._use(name, "in", labels)
        self._set(out, 1, made)

    def _turn(self, args: tuple[Any, ...], out: Tensor) -> None:
        name = self._owners.get(id(args[0]))
        if name is None:
            self._unknown(aten.t, args)
        else:
            self._turned[id(out)] = (out, name)

    def _linear(self, args: tuple[Any, ...], out: Tensor) -> None:
        weight = self._turned.get(id(args[2]))
        if weight is None or args[1].ndim != 2:
            self._mixing(args, out)
            return
        self._use(weight[1], "in", self._at(args[1], 1))
        made = self.book.new(out.shape[1])
        self._use(weight[1], "out", made)
        self._set(out, 1, made)

    def _batch_norm(self, args: tuple[Any, ...], out: Sequence[Tensor]) -> None:
        name, labels = self._owners.get(id(args[3])), self._at(args[0], 1)
        if name is None:
            self._unknown("normalisation without running statistics", args)
        else:
            self._use(name, "out", labels)
            self._set(out[0], 1, labels)

    # -- channels that meet ----------------------------------------------------------------------------------------
    def _binary(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensors = list(tensors_of(args))
        seen = [self._seen[id(t)] for t in tensors if id(t) in self._seen]
        places = {at - tensor.ndim for tensor, at, _ in seen}  # dimensions are matched from the right
        place = places.pop()
        width = out.shape[place]
        runs = [labels for _, _, labels in seen if len(labels) == width]
        if places or len(runs) < len(seen) or any(self._blocks(t, place) for t in tensors):
            for _, _, labels in seen:
                self.book.fix(labels)
        for labels in runs[1:]:
            self.book.join(runs[0], labels)
        if runs:
            self._set(out, out.ndim + place, runs[0])

    def _blocks(self, tensor: Tensor, place: int) -> bool:
        """Return whether a tensor without labels has a value for each channel: then the channels cannot be cut."""
        return id(tensor) not in self._seen and tensor.ndim >= -place and tensor.shape[place] > 1

    def _stack(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensors = args[0]
        dim = (args[1] if len(args) > 1 else 0) % out.ndim
        at = next(self._seen[id(t)][1] for t in tensors if id(t) in self._seen)
        runs = [self._at(tensor, at) for tensor in tensors]
        for labels in runs[1:]:
            self.book.join(runs[0], labels)
        self._set(out, at + (dim <= at), runs[0])

    def _mixing(self, args: tuple[Any, ...], out: Any) -> None:
        for tensor in tensors_of(args):
            self.fix(tensor)

    # -- channels that move ----------------------------------------------------------------------------------------
    def _pointwise(self, args: tuple[Any, ...], out: Any) -> None:
        if len(list(tensors_of(args))) > 1:  # bounds given as tensors
            self._mixing(args, out)
        else:
            self._set(out, *self._seen[id(args[0])][1:])

    def _spatial(self, args: tuple[Any, ...], out: Any) -> None:
        if self._seen[id(args[0])][1] >= args[0].ndim - 2:  # pooled or resized over the channels
            self.fix(args[0])
        else:
            self._pointwise(args, out if isinstance(out, Tensor) else out[0])

    def _cat(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensors = [t for t in args[0] if t.numel()]
        dim = (args[1] if len(args) > 1 else 0) % out.ndim
        at = next(self._seen[id(t)][1] for t in tensors if id(t) in self._seen)
        runs = [self._at(tensor, at) for tensor in tensors]
        if dim == at:
            self._set(out, at, np.concatenate(runs))
            return
        for labels in runs[1:]:
            self.book.join(runs[0], labels)
        self._set(out, at, runs[0])

    def _split(self, args: tuple[Any, ...], out: Sequence[Tensor]) -> None:
        _, at, labels = self._seen[id(args[0])]
        if (args[2] if len(args) > 2 else 0) % args[0].ndim != at:
            for piece in out:
                self._set(piece, at, labels)
            return
        pieces = np.split(labels, np.cumsum([piece.shape[at] for piece in out])[:-1])
        self.splits.append(pieces)
        for piece, run in zip(out, pieces, strict=True):
            self._set(piece, at, run)

    def _split_with_sizes(self, args: tuple[Any, ...], out: Sequence[Tensor]) -> None:
        tensor, at, labels = self._seen[id(args[0])]
        dim = (args[2] if len(args) > 2 else 0) % tensor.ndim
        if dim == at and not (self._stored_split() and len(set(args[1])) == 1):
            self.book.fix(labels)
        else:
            self._split(args, out)

    def _slice(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensor, at, labels = self._seen[id(args[0])]
        if out.shape[at] == tensor.shape[at]:
            self._set(out, at, labels)
        else:
            self.book.fix(labels)  # the bounds are numbers in the code: they would not follow a cut

    def _view(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensor, at, labels = self._seen[id(args[0])]
        before = math.prod(tensor.shape[:at])
        for dim in range(out.ndim):
            if math.prod(out.shape[:dim]) == before and out.shape[dim] == len(labels):
                self._set(out, dim, labels)
                return
        self.book.fix(labels)

    def _permute(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensor, at, labels = self._seen[id(args[0])]
        self._set(out, [d % tensor.ndim for d in args[1]].index(at), labels)

    def _transpose(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensor, at, labels = self._seen[id(args[0])]
        a, b = args[1] % tensor.ndim, args[2] % tensor.ndim
        self._set(out, {a: b, b: a}.get(at, at), labels)

    def _unsqueeze(self, args: tuple[Any, ...], out: Tensor) -> None:
        _, at, labels = self._seen[id(args[0])]
        self._set(out, at + (args[1] % out.ndim <= at), labels)

    def _reduce(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensor, at, labels = self._seen[id(args[0])]
        dims = {d % tensor.ndim for d in args[1]} if len(args) > 1 and args[1] else set(range(tensor.ndim))
        if at in dims:
            self.book.fix(labels)
        else:
            self._set(out, at if out.ndim == tensor.ndim else at - sum(d < at for d in dims), labels)

    def _pad(self, args: tuple[Any, ...], out: Tensor) -> None:
        tensor, at, labels = self._seen[id(args[0])]
        first = 2 * (tensor.ndim - 1 - at)  # of `args[1]`, which has two numbers for each dimension, from the last
        if any(args[1][first : first + 2]):  # also where one channel comes and one goes: all of them move
            self.book.fix(labels)
        else:
            self._set(out, at, labels)
