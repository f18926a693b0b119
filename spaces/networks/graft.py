"""Grafts: parts of several pruned networks of one parent, joined into one network.

The parent's numbering is common to all of them, so the seam needs no adapter: a graft keeps, in each part, the channels
that the part's donor kept. Where a part reads channels that its donor has cut, the weights come from the parent, or
are zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spaces.base import PARENT, Candidate, Origin, Section, SpaceError
from spaces.networks.checkpoint import content_hash
from spaces.networks.parent import Parent
from spaces.structure.groups import ChannelGroup
from spaces.structure.slicing import Seam
from spaces.structure.structure import Structure

BACKBONE, HEAD = "backbone", "head"
NECK, DETECT = "neck", "detect"


@dataclass(frozen=True)
class Donor:
    """Trained network from which parts are taken.

    Attributes:
        hash: Content hash of its checkpoint; `PARENT` for the parent itself.
    """

    hash: str
    candidate: Candidate


def graft(
    *,
    backbone: Donor | Candidate | Parent,
    head: Donor | Candidate | Parent,
    parent: Parent | None = None,
    seam: Seam | None = None,
) -> Candidate:
    """Return the backbone of one donor joined to the head (neck and Detect) of another, whole.

    Args:
        parent: Parent of both; needed only where the donors come from checkpoints, which do not hold it.
        seam: Weights with which the head reads channels that its donor has cut: the parent's (the default where
            the parent is known), or zeros.

    Raises:
        SpaceError: If the donors are of different parents or classes, or the seam asks for a parent that is not
            known.
    """
    return join({BACKBONE: backbone, HEAD: head}, parent=parent, seam=seam)


def join(
    parts: Mapping[str, Donor | Candidate | Parent], *, parent: Parent | None = None, seam: Seam | None = None
) -> Candidate:
    """Return a network of parts: its stages `P1` to `P5` (or all of them as `backbone`), its `neck` and its `detect`.

    `join({"P1": a, "P2": a, "P3": a, "P4": c, "P5": c, "neck": b, "detect": d})`

    Args:
        parent: See `graft`.
        seam: See `graft`; here for every part that reads channels that its donor has cut.

    Raises:
        SpaceError: If a part is missing or unknown, or as `graft`.
    """
    if not parts:
        raise SpaceError("a graft needs donors; none are given")
    known = parent or _common_parent(parts.values())
    if known is None and seam == "parent":
        raise SpaceError("the donors come from checkpoints, which do not hold their parent; give parent=")
    donors = {name: _as_donor(donor, known) for name, donor in parts.items()}
    common = known or Parent.of(next(iter(donors.values())).candidate)
    for donor in donors.values():
        if donor.candidate.classes != common.classes:
            raise SpaceError(f"a donor's classes are {donor.candidate.classes}, another's {common.classes}")
    by_part = by_stage(common.structure, donors)
    sources = {donor.hash: donor.candidate for donor in donors.values()}
    for candidate in sources.values():
        common.check(candidate.spec)
    kept = tuple(by_part[part_of(group)].candidate.spec.kept[i] for i, group in enumerate(common.groups))
    spec = common.structure.spec(kept, dropped_by(common.structure, by_part))
    joined = common.build(
        spec, origin_of(common.structure, by_part), sources, seam=seam or ("parent" if known else "zeros")
    )
    return joined if known else Candidate(spec, joined.origin, joined.network, joined.classes, joined.imgsz)


def part_of(group: ChannelGroup) -> str:
    """Return the part that a group belongs to: `P1` to `P5` in the backbone, `neck`, `detect`."""
    return _part(group.section, group.stage)


def layer_parts(structure: Structure) -> tuple[str, ...]:
    """Return the part that each top-level layer belongs to."""
    return tuple(map(_part, structure.layer_sections, structure.layer_stages))


def by_stage(structure: Structure, parts: Mapping[str, Donor]) -> dict[str, Donor]:
    """Return the donor of each part, where `backbone` stands for all of its stages and `head` for neck and Detect.

    Raises:
        SpaceError: If a part has no donor, or there is no such part.
    """
    names = tuple(dict.fromkeys(layer_parts(structure)))
    whole = {name: parts.get(name) or parts.get(HEAD if name in (NECK, DETECT) else BACKBONE) for name in names}
    for name in parts.keys() - {*names, BACKBONE, HEAD}:
        raise SpaceError(
            f"there is no part '{name}'; use {', '.join(names)}, or backbone (P1 to P5) and head (neck and detect)"
        )
    for name, donor in whole.items():
        if donor is None:
            raise SpaceError(f"part '{name}' has no donor")
    return {name: donor for name, donor in whole.items() if donor is not None}


def origin_of(structure: Structure, parts: Mapping[str, Donor]) -> Origin:
    """Return the source of each layer's weights."""
    return Origin(tuple(parts[part].hash for part in layer_parts(structure)))


def dropped_by(structure: Structure, parts: Mapping[str, Donor]) -> list[str]:
    """Return the bottlenecks that the donors of their parts have dropped."""
    places = layer_parts(structure)
    return [
        repeat.name for repeat in structure.repeats if repeat.name in parts[places[repeat.layer]].candidate.spec.dropped
    ]


def _part(section: Section, stage: int) -> str:
    return f"P{stage}" if section == "backbone" else section


def _as_donor(donor: Donor | Candidate | Parent, known: Parent | None) -> Donor:
    if isinstance(donor, Donor):
        return donor
    if isinstance(donor, Parent):
        candidate = donor.as_candidate()
        return Donor(PARENT if donor is known else content_hash(candidate), candidate)
    if not isinstance(donor, Candidate):
        raise SpaceError(f"a donor is {donor!r}; give a candidate, or load a checkpoint with spaces.checkpoint.load")
    return Donor(content_hash(donor), donor)


def _common_parent(donors: Iterable[Donor | Candidate | Parent]) -> Parent | None:
    """Return the parent of all donors that know theirs; None if none of them does.

    Raises:
        SpaceError: If they are of different parents.
    """
    found: list[Parent] = []
    for donor in donors:
        candidate = donor.candidate if isinstance(donor, Donor) else donor
        parent = candidate if isinstance(candidate, Parent) else getattr(candidate, "parent", None)
        if isinstance(parent, Parent) and not any(parent is other for other in found):
            found.append(parent)
    if len(found) > 1 and len({content_hash(parent.as_candidate()) for parent in found}) > 1:
        raise SpaceError("the donors were cut from different parents; give parent= to say whose weights fill the seam")
    return found[0] if found else None
