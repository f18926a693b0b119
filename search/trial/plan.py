"""The plan of a search: its space, its recipe and its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from objectives.base import Measurement
from objectives.recipe import Recipe
from spaces.base import ArchSpec, Origin, Parameter, ParamValue, Space

NO_LIMITS: Mapping[str, float] = {}
"""Limits of a network that is not ruled out, whatever it costs."""


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """Space, recipe and limits of a search.

    Attributes:
        starts: Parameters of the first trials.
        hints: Parameters of networks that are expected to be good before any training; they may lack some.
        recipe: The training recipe; a trial replaces the fields that are searched.
        searched: Range of each recipe field that is searched, by `recipe.<field>`.
        limits: Upper limits by name of a measurement. A candidate above one is ruled out before training.
        seed: Seed of all trainings.
        inherits: Whether a trial may begin with the weights of a trained network instead of those of its space.
        continued_epochs: Returns the epochs of a trial that trains an earlier network further, from its latency in ms;
            by default they are those of the recipe.
        at_least: Accuracies that the study asks for; one of at most 0 is a difference to the parent's.
    """

    space: Space
    starts: tuple[Mapping[str, ParamValue], ...]
    hints: tuple[Mapping[str, ParamValue], ...] = ()
    recipe: Recipe
    searched: Mapping[str, Parameter]
    limits: Mapping[str, float]
    seed: int
    inherits: bool = False
    continued_epochs: Callable[[float], int] | None = None
    at_least: Mapping[str, float] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters that the sampler sets: of the architecture and of the recipe."""
        return {**self.space.parameters, **self.searched}

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin, Recipe]:
        """Return the architecture, the origin of its weights, and the recipe that parameters stand for."""
        shape = {name: value for name, value in params.items() if name not in self.searched}
        spec, origin = self.space.decode(shape)
        chosen = {name.removeprefix("recipe."): params[name] for name in self.searched}
        return spec, origin, self.recipe.with_values(**chosen)

    def violation(self, constraints: Mapping[str, float]) -> str:
        """Return a line about the limits that are missed, with value and limit.

        Args:
            constraints: Excess over each limit.
        """
        missed = {name: excess for name, excess in constraints.items() if excess > 0}
        said = [f"{name} is {self.limits[name] + by:.3g}, limit {self.limits[name]:.3g}" for name, by in missed.items()]
        return "; ".join(said)


def excess_over(limits: Mapping[str, float], measurements: Sequence[Measurement]) -> dict[str, float]:
    """Return the excess over each limit in the limit's unit: above 0 where it is missed, else at most 0."""
    figures = {measurement.name: measurement.value for measurement in measurements}
    return {name: figures[name] - limit for name, limit in limits.items()}
