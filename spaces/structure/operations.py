"""Operations of torch that the tracer knows, by what they do with channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

# fmt: off
POINTWISE = (  # channel k of the result depends on channel k alone
    "silu", "silu_", "relu", "relu_", "relu6", "sigmoid", "sigmoid_", "tanh", "gelu", "elu", "leaky_relu",
    "leaky_relu_", "hardtanh", "hardtanh_", "hardswish", "hardswish_", "hardsigmoid", "mish", "softplus", "clamp",
    "clamp_min", "clamp_max", "neg", "abs", "exp", "sqrt", "rsqrt", "clone", "_to_copy", "detach", "alias", "dropout",
)
SPATIAL = (  # the same, unless it lies in one of the last two dimensions
    "max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d", "upsample_nearest2d",
    "upsample_bilinear2d", "_upsample_nearest_exact2d",
)
MIXING = (  # every channel of the result depends on several: all channels read stay whole, as in attention
    "mm", "addmm", "bmm", "baddbmm", "_softmax", "_scaled_dot_product_flash_attention_for_cpu",
)
BINARY = ("add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "maximum", "minimum")
# fmt: on


def tensors_of(values: Any) -> Iterator[Tensor]:
    """Yield the tensors among the arguments of an operation, also those in lists."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from tensors_of(value)
