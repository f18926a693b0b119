"""The space of grafts: a donor for each part, and a further ratio for each stage or each channel group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal, final

from spaces.base import (
    PARENT,
    ArchSpec,
    Candidate,
    Categorical,
    Origin,
    Parameter,
    ParameterRole,
    ParamValue,
    Space,
    SpaceError,
)
from spaces.networks.graft import (
    BACKBONE,
    DETECT,
    HEAD,
    NECK,
    Donor,
    by_stage,
    dropped_by,
    layer_parts,
    origin_of,
    part_of,
)
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.ranking.widths import aligned, select
from spaces.search_spaces.names import DONOR, RATIO
from spaces.search_spaces.ratios import RatioRange, check

Parts = Literal["sections", "stages"]
Ratios = Literal["stage", "group"]
Orders = Mapping[str, Sequence[int]]

OF_THE_HEAD = (HEAD, DONOR + NECK, DONOR + DETECT)
"""Parameters that name the donor of the head, or of a part of it."""


@final
class GraftSpace(Space):
    """Parameters: the donor of each part, and `ratio.*`, which cuts the graft further.

    Parts are `backbone` and `head`, or, finer, `donor.P1` to `donor.P5`, `donor.neck` and `donor.detect`. Ratios
    are one for each stage (`ratio.P3`, `ratio.neck`) or one for each channel group (groups of one tie share theirs). A
    ratio is the share that stays of the channels its donor still has, in that donor's own order of importance.
    """

    def __init__(
        self,
        parent: Parent,
        donors: Mapping[str, Donor],
        low: float = 0.5,
        high: float = 1.0,
        step: float | None = 0.125,
        multiple: int = 8,
        *,
        parts: Parts = "sections",
        ratios: Ratios = "stage",
        orders: Mapping[str, Orders] | None = None,
    ) -> None:
        """Define the space.

        Args:
            orders: For each donor the kept channels of each group, best first; by default the donors' own by L2
                magnitude.

        Raises:
            SpaceError: If there is no donor, one is of another parent, or the range is not within (0, 1].
        """
        if not donors:
            raise SpaceError("a graft needs at least one donor")
        self._parent = parent
        self._donors = dict(donors)
        self._range = RatioRange(low, high, step, multiple)
        self._structure = parent.structure
        self._orders = orders or {name: order(donor.candidate, parent) for name, donor in donors.items()}
        for donor in donors.values():
            parent.check(donor.candidate.spec)
        self._stages = tuple(dict.fromkeys(layer_parts(self._structure)))
        self._given = (BACKBONE, HEAD) if parts == "sections" else tuple(DONOR + stage for stage in self._stages)
        self._one_ratio_a_group = ratios == "group"
        self._ratio_of = tuple(
            RATIO + (part_of(group) if ratios == "stage" else group.tie or group.name) for group in parent.groups
        )

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The donors' names for each part, and the ratios."""
        names = Categorical(tuple(self._donors), role=ParameterRole.DONOR)
        ratios = dict.fromkeys(name.removeprefix(RATIO) for name in self._ratio_of)
        return {**dict.fromkeys(self._given, names), **self._range.parameters(ratios)}

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        """Take each group's channels from its donor, the most important ones."""
        check(self.parameters, params)
        groups = self._structure.groups
        chosen = {name.removeprefix(DONOR): str(params[name]) for name in self._given}
        parts = by_stage(self._structure, {part: self._donors[name] for part, name in chosen.items()})
        named = {part: next(n for n, d in self._donors.items() if d is donor) for part, donor in parts.items()}
        orders = {group.name: self._orders[named[part_of(group)]][group.name] for group in groups}
        widths = {
            group.name: aligned(len(orders[group.name]), float(params[ratio]), self._range.multiple)
            for group, ratio in zip(groups, self._ratio_of, strict=True)
        }
        kept = select(groups, orders, widths)
        return self._structure.spec(kept, dropped_by(self._structure, parts)), origin_of(self._structure, parts)

    def start_points(self) -> tuple[dict[str, ParamValue], ...]:
        """Return three grafts, all uncut.

        The first is the graft that was made by hand, `nas_final`: the backbone of the last donor but one with the head
        of the last donor. The others are the first backbone with the last head, and the last backbone with the first
        head.
        """
        names = tuple(name for name, donor in self._donors.items() if donor.hash != PARENT) or tuple(self._donors)
        pairs = ((names[-2:][0], names[-1]), (names[0], names[-1]), (names[-1], names[0]))
        uncut = dict.fromkeys(self._ratio_of, self._range.ratio.at(1.0))
        return tuple(
            {**{part: head if part in OF_THE_HEAD else backbone for part in self._given}, **uncut}
            for backbone, head in dict.fromkeys(pairs)
        )

    def nearest(self, shares: Sequence[float]) -> dict[str, ParamValue] | None:
        """Return the cut of the parent whose ratios are nearest to these shares; None without one ratio a group."""
        parent = next((name for name, donor in self._donors.items() if donor.hash == PARENT), None)
        if parent is None or not self._one_ratio_a_group:
            return None
        ratio = self._range.ratio
        ratios = {name: ratio.nearest(share) for name, share in zip(self._ratio_of, shares, strict=True)}
        return {**dict.fromkeys(self._given, parent), **ratios}

    def point_of_donor(self, checkpoint: str) -> dict[str, ParamValue] | None:
        """Return the donor with its own backbone and its own head, uncut."""
        name = next((name for name, donor in self._donors.items() if donor.hash == checkpoint), None)
        if name is None or self._range.ratio.at(1.0) != 1.0:
            return None
        return {**dict.fromkeys(self._given, name), **dict.fromkeys(self._ratio_of, 1.0)}

    def build(self, spec: ArchSpec, origin: Origin) -> Candidate:
        """Build with the donors' weights; where a donor has none, with the parent's."""
        return self._parent.build(spec, origin, {donor.hash: donor.candidate for donor in self._donors.values()})
