"""The space of grafts: the backbone of one pruned donor, the head of another, and a further ratio per stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from spaces.base import ArchSpec, Candidate, Categorical, Origin, Parameter, ParamValue, Section, Space, SpaceError
from spaces.groups import ChannelGroup
from spaces.importance import order
from spaces.parent import Parent
from spaces.ratios import PREFIX, RatioRange, check
from spaces.structure import Structure
from spaces.uniform import aligned, select

BACKBONE, HEAD = "backbone", "head"


@dataclass(frozen=True)
class Donor:
    """A trained network that gives its backbone or its head (neck and Detect).

    Attributes:
        hash: Content hash of its checkpoint; `PARENT` for the parent itself.
    """

    hash: str
    candidate: Candidate


def graft(parent: Parent, *, backbone: Donor, head: Donor) -> Candidate:
    """The backbone of one donor joined to the head of another, whole.

    Where the head reads backbone channels that its donor never saw, those weights come from the parent.

    Raises:
        SpaceError: If a donor is of another parent.
    """
    parts = {BACKBONE: backbone, HEAD: head}
    kept = []
    for index, group in enumerate(parent.groups):
        donor = parts[_part(group.section)].candidate
        parent.check(donor.spec)
        kept.append(donor.spec.kept[index])
    origin = _origin(parent.structure, parts)
    sources = {donor.hash: donor.candidate for donor in parts.values()}
    return parent.build(parent.structure.spec(tuple(kept)), origin, sources)


@final
class GraftSpace(Space):
    """Parameters: `backbone` and `head` name donors; `ratio.<stage>` cuts each stage of the graft further.

    Stages are P1 to P5 of the backbone (by resolution), `neck` and `detect`. A ratio is the share that stays of
    the channels its donor still has, in that donor's own order of importance.
    """

    def __init__(
        self,
        parent: Parent,
        donors: Mapping[str, Donor],
        low: float = 0.5,
        high: float = 1.0,
        step: float | None = 0.125,
        multiple: int = 8,
    ) -> None:
        """Lay out the space and rank the donors' channels.

        Raises:
            SpaceError: If there is no donor, one is of another parent, or the range is not within (0, 1].
        """
        if not donors:
            raise SpaceError("a graft needs at least one donor")
        self._parent = parent
        self._donors = dict(donors)
        self._range = RatioRange(low, high, step, multiple)
        self._structure = parent.structure
        self._orders = {name: order(donor.candidate, parent) for name, donor in donors.items()}

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Two donors' names and one ratio for each stage that the parent has."""
        names = Categorical(tuple(self._donors))
        stages = dict.fromkeys(_stage(group) for group in self._structure.groups)
        return {BACKBONE: names, HEAD: names, **self._range.parameters(stages)}

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        """Take each group's channels from its donor, the most important ones."""
        check(self.parameters, params)
        groups = self._structure.groups
        names = {part: str(params[part]) for part in (BACKBONE, HEAD)}
        orders = {group.name: self._orders[names[_part(group.section)]][group.name] for group in groups}
        widths = {
            group.name: aligned(len(orders[group.name]), float(params[PREFIX + _stage(group)]), self._range.multiple)
            for group in groups
        }
        parts = {part: self._donors[name] for part, name in names.items()}
        return self._structure.spec(select(groups, orders, widths)), _origin(self._structure, parts)

    def build(self, spec: ArchSpec, origin: Origin) -> Candidate:
        """Build with the donors' weights; where a donor has none, with the parent's."""
        return self._parent.build(spec, origin, {donor.hash: donor.candidate for donor in self._donors.values()})


def _part(section: Section) -> str:
    return BACKBONE if section == "backbone" else HEAD


def _stage(group: ChannelGroup) -> str:
    return f"P{group.stage}" if group.section == "backbone" else group.section


def _origin(structure: Structure, parts: Mapping[str, Donor]) -> Origin:
    return Origin(tuple(parts[_part(section)].hash for section in structure.layer_sections))
