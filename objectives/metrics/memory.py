"""Memory that the deployed network needs for one image: weights, and the most activations that are needed at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from objectives.base import Measurement
from objectives.metrics.base import BeforeTraining
from objectives.quantities import MEMORY_MIB, MIB, Quantity
from spaces.base import Candidate, CandidateError
from spaces.networks.deployed import deployed, image_side


@final
@dataclass(frozen=True)
class Memory(BeforeTraining):
    """Measures `memory_mib` of the deployed (fused) network, for one float32 image of the candidate's size.

    It is the sum of the weights plus the peak of the activations, by liveness over the operations in their order::

        sum of bytes(w)  +  max over t of  sum of bytes(s) over all s with first(s) <= t <= last(s)

    `w` is a parameter, a buffer or a constant such as the anchors. `s` is a storage that an operation writes, or the
    image; `first(s)` is the operation that makes it, `last(s)` the last one that reads it (the end, for the output). So
    views and results in place are no second storage, and the inputs and outputs of an operation exist at the same time.

    Exact, from the architecture alone; nothing is timed, and no weight matters. An engine needs more (its code, its
    workspaces) or less (it may fuse operations); the figure compares networks.

    Source: Liberis and Lane, Neural networks on microcontrollers: saving memory at inference via operator reordering,
    arXiv 1910.05110 (2019): the peak working set over the operators.
    """

    quantities: ClassVar[tuple[Quantity, ...]] = (MEMORY_MIB,)

    def measure(self, candidate: Candidate) -> tuple[Measurement, ...]:
        """Return the memory in MiB; see `BeforeTraining`."""
        network = deployed(candidate)
        side = image_side(network, candidate.imgsz)
        try:
            needed = needed_bytes(network, torch.zeros(1, 3, side, side))
        except RuntimeError as error:
            raise CandidateError(f"the network does not run on an image of {side} px: {error}") from error
        return (MEMORY_MIB.measurement(needed / MIB),)


def needed_bytes(network: nn.Module, image: Tensor) -> int:
    """Return the bytes of the weights plus the peak of the activations; see `Memory`.

    Args:
        network: Network in evaluation mode. If it has several outputs, only the first is deployed.
        image: Shape (1, 3, H, W).
    """
    weights = [*network.parameters(), *network.buffers()]
    with torch.inference_mode():
        network(image)  # tensors that depend on the image size alone, such as anchors, are constants from now on
        with _Liveness(image) as seen:
            outputs = network(image)
            seen.use(outputs[0] if isinstance(outputs, tuple | list) else outputs)
    held = {_key_of(_reference_to(weight)) for weight in weights}
    made = [span for key, span in seen.spans.items() if key not in held]
    constants = [span.size for span in made if span.is_constant]
    return sum([*map(_size, weights), *constants, _peak([span for span in made if not span.is_constant])])


@dataclass
class _Span:
    """A storage: its bytes, whether no operation made it, and the operations between which it is needed."""

    size: int
    is_constant: bool
    first: int
    last: int


class _Liveness(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types
    """Notes which storages each operation reads and writes. Holds weak references: storages are freed as usual."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.spans: dict[int, _Span] = {}
        self._references: list[StorageWeakRef] = []  # while one is kept, its key stands for no other storage
        self._operation = 0
        self._note(image, is_constant=False)

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation."""
        result = operation(*args, **(kwargs or {}))
        for tensor in _tensors((args, kwargs)):
            self._note(tensor, is_constant=True)
        for tensor in _tensors(result):
            self._note(tensor, is_constant=False)
        self._operation += 1
        return result

    def use(self, output: Tensor) -> None:
        """Note that the output is needed until now."""
        self._note(output, is_constant=True)

    def _note(self, tensor: Tensor, *, is_constant: bool) -> None:
        reference = _reference_to(tensor)
        key = _key_of(reference)
        if key not in self.spans:
            self._references.append(reference)
            size = tensor.untyped_storage().nbytes()
            self.spans[key] = _Span(size, is_constant, self._operation, self._operation)
        self.spans[key].last = self._operation


def _tensors(values: Any) -> Iterator[Tensor]:
    return (value for value in tree_leaves(values) if isinstance(value, Tensor))


def _reference_to(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def _key_of(reference: StorageWeakRef) -> int:
    return int(reference.cdata)


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _peak(spans: list[_Span]) -> int:
    """Return the most bytes that are needed at one operation."""
    changes = [0] * (max((span.last for span in spans), default=0) + 2)
    for span in spans:
        changes[span.first] += span.size
        changes[span.last + 1] -= span.size
    return max(accumulate(changes))
