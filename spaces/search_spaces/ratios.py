"""Ratio parameters, which several spaces share: their range, and the check of a sampler's values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spaces.base import Categorical, Float, Integer, Parameter, ParameterRole, ParamValue, SpaceError
from spaces.search_spaces.names import RATIO

SLACK = 1e-9  # samplers compute grid points as low + k * step, which may end slightly beyond the bound


@dataclass(frozen=True)
class RatioRange:
    """The range of every ratio in a space, and the multiple that widths are rounded to.

    Attributes:
        low: Smallest share of channels kept, above 0.
        high: Greatest share, at most 1.
        step: Grid between them; None for any value.
        multiple: Widths are rounded to multiples of this number of channels.
    """

    low: float
    high: float
    step: float | None = None
    multiple: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high <= 1:
            raise SpaceError(f"ratios from {self.low} to {self.high} are not within (0, 1]")
        if self.step is not None and self.step <= 0:
            raise SpaceError(f"step {self.step} is not above 0")
        if self.multiple < 1:
            raise SpaceError(f"multiple {self.multiple} is below 1")

    @property
    def ratio(self) -> Float:
        """The parameter of each ratio."""
        return Float(self.low, self.high, self.step, role=ParameterRole.WIDTH)

    def parameters(self, names: Iterable[str]) -> dict[str, Parameter]:
        """Return one ratio parameter for each name."""
        return {RATIO + name: self.ratio for name in names}


def check(parameters: Mapping[str, Parameter], params: Mapping[str, ParamValue]) -> None:
    """Make sure that a sampler's values fit the parameters of a space.

    Raises:
        SpaceError: If a parameter is missing, unknown or out of its range.
    """
    for name in parameters.keys() - params.keys():
        raise SpaceError(f"parameter '{name}' is missing")
    for name in params.keys() - parameters.keys():
        raise SpaceError(f"parameter '{name}' is not one of this space")
    for name, parameter in parameters.items():
        value = params[name]
        if isinstance(parameter, Categorical):
            if value not in parameter.options:
                options = ", ".join(map(str, parameter.options))
                raise SpaceError(f"parameter '{name}' is '{value}'; it can be {options}")
        elif isinstance(value, bool | str) or not math.isfinite(value):
            raise SpaceError(f"parameter '{name}' is {value!r}; it must be a number")
        elif not parameter.low - SLACK <= value <= parameter.high + SLACK:
            raise SpaceError(f"parameter '{name}' is {value}; it must be in [{parameter.low}, {parameter.high}]")
        elif isinstance(parameter, Integer) and value != int(value):
            raise SpaceError(f"parameter '{name}' is {value}; it must be a whole number")
