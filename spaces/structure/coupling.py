"""Channel groups from joined labels: channels that the same layers make and read in the same way are a group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from spaces.base import Section
from spaces.structure.groups import ChannelGroup, Member, Side
from spaces.structure.tracer import LabelTracer

Use = tuple[str, Side]


@dataclass
class _Channel:
    """All uses of one channel: its layers with position, and its parts in splits."""

    places: list[tuple[Use, int]] = field(default_factory=list)
    parts: set[tuple[int, int]] = field(default_factory=set)

    @property
    def signature(self) -> tuple[tuple[Use, ...], frozenset[tuple[int, int]]]:
        return tuple(use for use, _ in self.places), frozenset(self.parts)


def groups_of(tracer: LabelTracer, place_of: Callable[[str], tuple[Section, int]]) -> tuple[ChannelGroup, ...]:
    """Return the channel groups that a trace found, in the order in which the network makes them.

    Args:
        place_of: Section and stage of a layer, by its name.
    """
    _settle_splits(tracer)
    runs = _runs(tracer)
    ties = _ties(tracer, runs)
    names = _names(runs)
    return tuple(
        ChannelGroup(name, len(run), *place_of(run[0].places[0][0][0]), ties.get(index), _members(run))
        for index, (name, run) in enumerate(zip(names, runs, strict=True))
    )


def _channels(tracer: LabelTracer) -> dict[int, _Channel]:
    """Return all uses of each channel that can be cut, by the label that stands for it."""
    found: dict[int, _Channel] = defaultdict(_Channel)
    book = tracer.book
    for use, labels in tracer.uses.items():
        for position, label in enumerate(labels.tolist()):
            if not book.is_fixed(label):
                found[book.find(label)].places.append((use, position))
    for index, pieces in enumerate(tracer.splits):
        for part, labels in enumerate(pieces):
            for label in labels.tolist():
                if not book.is_fixed(label):
                    found[book.find(label)].parts.add((index, part))
    return {root: channel for root, channel in found.items() if channel.places}


def _runs(tracer: LabelTracer) -> list[list[_Channel]]:
    """Return channels of equal signature, in the order of their first position."""
    runs: dict[object, list[_Channel]] = defaultdict(list)
    for channel in _channels(tracer).values():
        runs[channel.signature].append(channel)
    return list(runs.values())


def _settle_splits(tracer: LabelTracer) -> None:
    """Fix the channels of every split whose parts could not keep equal widths, until nothing changes."""
    book = tracer.book
    changed = True
    while changed:
        changed = False
        roots = {part: run for run in _runs(tracer) for channel in run for part in channel.parts}
        for index, pieces in enumerate(tracer.splits):
            even = len({len(piece) for piece in pieces}) == 1
            whole = all(
                len(roots.get((index, part), ())) == len(piece)  # one group fills this part, and nothing else does
                and not any(book.is_fixed(label) for label in piece.tolist())
                for part, piece in enumerate(pieces)
            )
            if not (even and whole):
                # A list, so that every part is fixed and not only those up to the first change.
                changed |= any([book.fix(piece) for piece in pieces])


def _ties(tracer: LabelTracer, runs: list[list[_Channel]]) -> dict[int, str]:
    """Return the tie of each run that is a part of a split; splits that share a run share the tie."""
    of_part = {part: index for index, run in enumerate(runs) for part in run[0].parts}
    tied: list[set[int]] = []
    for split, pieces in enumerate(tracer.splits):
        members = {of_part[split, part] for part in range(len(pieces)) if (split, part) in of_part}
        if len(members) < 2:
            continue  # all parts are one group, or all are fixed
        for other in [other for other in tied if other & members]:
            tied.remove(other)
            members |= other
        tied.append(members)
    return {index: _layer(runs[min(members)]) for members in tied for index in members}


def _layer(run: Iterable[_Channel]) -> str:
    """Return the name of the layer that makes these channels, without the convolution inside it."""
    first = next(iter(run))
    return first.places[0][0][0].removesuffix(".conv")


def _names(runs: list[list[_Channel]]) -> list[str]:
    layers = [_layer(run) for run in runs]
    counts: dict[str, int] = defaultdict(int)
    names = []
    for layer in layers:
        names.append(layer if layers.count(layer) == 1 else f"{layer}:{counts[layer]}")
        counts[layer] += 1
    return names


def _members(run: list[_Channel]) -> tuple[Member, ...]:
    return tuple(
        Member(module, side, tuple(channel.places[place][1] for channel in run))
        for place, ((module, side), _) in enumerate(run[0].places)
    )
