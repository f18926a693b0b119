"""The `space:` section of a study's YAML: what is searched, and how that is laid out around the trained parent.

Reading a study imports no torch. So `layout` imports its space when it is called, not at the top of its file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from search.study.cuts import Criterion, Cut
from search.study.faults import FieldFault
from search.study.sections import Ratio, Section
from spaces.base import ArchSpec, Candidate, ParamValue, Space

if TYPE_CHECKING:
    from spaces.allocation.allocation import Cutter
    from spaces.networks.graft import Donor
    from spaces.networks.parent import Parent


@dataclass(frozen=True)
class Layout:
    """A space, and the points of it that are known to be good before any training.

    Attributes:
        starts: Points that the first trials take.
        hints: Points that a sampler may choose from beside those that it draws, from hardly any cut to the narrowest.
    """

    space: Space
    starts: tuple[Mapping[str, ParamValue], ...]
    hints: tuple[Mapping[str, ParamValue], ...] = ()


class LayoutTools(ABC):
    """Facts about the trained parent that a section can ask for while it lays out its space."""

    @property
    @abstractmethod
    def parent(self) -> Parent:
        """The trained parent."""

    @abstractmethod
    def rank_channels(self, criterion: Criterion, candidate: Candidate) -> Mapping[str, Sequence[int]]:
        """Return for each channel group the channels that a network keeps, the most important first."""

    @abstractmethod
    def cutter(self, cut: Cut, criterion: Criterion, multiple: int) -> Cutter:
        """Return what cuts the parent by a rule; `sensitivity` is measured if it was not before."""

    @abstractmethod
    def flops_function(self) -> Callable[[ArchSpec], float]:
        """Return a function from a spec to its FLOPs."""


class SpaceSection(Section):
    """Section of a study that says what is searched. A new space defines `type` and `layout`; the rest has defaults.

    Attributes:
        type: The name of the space, a `Literal` of one word.
        multiple: Widths are multiples of this many channels; runtimes are slow at odd widths.
        takes_from_donors: What the space takes from donors, in words; empty if it needs none.
        uses_sensitivity: Whether the sampler learns from the loss increase when each channel group is halved.
    """

    takes_from_donors: ClassVar[str] = ""
    uses_sensitivity: ClassVar[bool] = True

    multiple: int = Field(default=8, ge=1)
    type: str

    @abstractmethod
    def layout(self, tools: LayoutTools, donors: Mapping[str, Donor]) -> Layout:
        """Lay out the space around the trained parent.

        Args:
            donors: The study's donors by name.

        Raises:
            SpaceError: If the parent has nothing of what is to be searched.
        """

    @classmethod
    def describe(cls, params: Mapping[str, ParamValue]) -> str:
        """Return what the note of a trial says about its parameters; empty if they are not of this space."""
        return ""

    @property
    def order_criterion(self) -> Criterion:
        """Criterion by which this space, and a sensitivity analysis for it, order the channels of a group."""
        return "l2"

    @property
    def ranks_by_scales(self) -> bool:
        """True if BatchNorm scales rank channels of the donors, or of the parent; these need training with sparsity."""
        return False

    @property
    def needs_sensitivity_map(self) -> bool:
        """True if the layout needs the sensitivity map of the trained parent."""
        return False

    @property
    def drops_bottlenecks(self) -> bool:
        """True if the number of residual bottlenecks is searched."""
        return False

    @property
    def fixes_start_points(self) -> bool:
        """True if the first trials take the start points even when the sampler could rank candidates by itself."""
        return False

    def check_parent(self, parent: Parent) -> None:
        """Check what the space asks of the parent, before anything is trained.

        Raises:
            DefinitionError: If the parent does not have it.
        """


class RatioGrid(Section):
    """The grid of the ratios of a space.

    Attributes:
        low: Smallest share of channels that stay.
        high: Greatest share.
        step: Distance of two ratios on the grid.
    """

    low: Ratio = 0.5
    high: Ratio = 1.0
    step: Ratio = 0.125

    @model_validator(mode="after")
    def _is_grid(self) -> RatioGrid:
        if not self.low < self.high:
            raise FieldFault("low", f"is {self.low}; it must be below high, {self.high}")
        steps = (self.high - self.low) / self.step
        if abs(steps - round(steps)) > 1e-6 or steps < 1 - 1e-6:
            raise FieldFault("step", f"is {self.step}; it must divide the range from {self.low} to {self.high}")
        return self
