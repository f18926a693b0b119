"""Cost of a candidate: parameters, FLOPs, file size. Exact, from the architecture alone."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from objectives.base import Measurement
from objectives.metrics.base import BeforeTraining
from objectives.quantities import FLOPS_G, MIB, PARAMETERS, SHARE_PRUNED, SIZE_MIB, Quantity
from spaces.base import Candidate, CandidateError
from spaces.networks.deployed import deployed, image_side


@final
@dataclass(frozen=True)
class Cost(BeforeTraining):
    """Measures the cost of a candidate, without timing it.

    - `parameters`: of the deployed (fused) network, as in Ultralytics' own tables.
    - `flops_g`: 10^9 FLOPs, 2 x multiply-adds of the convolutions and matrix products of the deployed network, for
      one image of `candidate.imgsz` (rounded up to the network's stride, as Ultralytics does). Torch-pruning
      reports multiply-adds, which is half of this.
    - `size_mib`: the fp16 safetensors file of a checkpoint. It keeps BatchNorm, so that it can be trained on.
    - `share_pruned`: 1 - parameters / parent_parameters.

    Attributes:
        parent_parameters: `parameters` of the parent, as `count_parameters` counts them.
    """

    parent_parameters: int
    quantities: ClassVar[tuple[Quantity, ...]] = (PARAMETERS, FLOPS_G, SIZE_MIB, SHARE_PRUNED)

    def measure(self, candidate: Candidate) -> tuple[Measurement, ...]:
        """Return the four figures; see `BeforeTraining`."""
        network = deployed(candidate)
        parameters = _parameters(network)
        return (
            PARAMETERS.measurement(parameters),
            FLOPS_G.measurement(_flops(network, candidate.imgsz) / 1e9),
            SIZE_MIB.measurement(_saved_bytes(candidate.network) / MIB),
            SHARE_PRUNED.measurement(1 - parameters / self.parent_parameters),
        )


def count_parameters(candidate: Candidate) -> int:
    """Return parameters of the deployed (fused) network."""
    return _parameters(deployed(candidate))


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _flops(network: nn.Module, imgsz: int) -> int:
    """Run one real image through: torch's meta device would not be faster, and its first use takes seconds."""
    side = image_side(network, imgsz)
    counter = FlopCounterMode(display=False)
    try:
        with torch.inference_mode(), counter:
            network(torch.zeros(1, 3, side, side))
    except RuntimeError as error:
        raise CandidateError(f"the network does not run on an image of {side} px: {error}") from error
    return int(counter.get_total_flops())


def _saved_bytes(network: nn.Module) -> int:
    """Return the length of a safetensors file with floats in half precision, to the byte: its header and the tensors.

    Source: github.com/huggingface/safetensors, "Format".
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in sorted(network.state_dict().items(), key=lambda item: (item[1].is_floating_point(), item[0])):
        kind, size = ("F16", 2) if tensor.is_floating_point() else ("I64", tensor.element_size())  # widest first
        begin, end = end, end + size * tensor.numel()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    length = len(json.dumps(header, separators=(",", ":")))
    return 8 + math.ceil(length / 8) * 8 + end
