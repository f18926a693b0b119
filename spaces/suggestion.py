"""The second half of a message about an unknown name: the name that was probably meant, or the known ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

SHORTEST_BEGINNING = 2
"""Minimum number of characters that count as the beginning of a name."""


def did_you_mean(
    name: str, known: Iterable[str], otherwise: str | None = None, *, most: int = 1, cutoff: float = 0.6
) -> str:
    """Return `did you mean ort-cpu?`, or `otherwise` if no known name is similar.

    A name that begins with the given one comes before those that are only similar; of several the first known one.

    Args:
        known: Names, the most used first.
        otherwise: Text without a similar name; by default the known names: `there are ort-cpu, torch-cpu`.
        most: Maximum number of suggested names.
        cutoff: Minimum similarity of names, in [0, 1].
    """
    names = list(known)
    near = _nearest(name, names, most, cutoff)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(names) or 'none'}" if otherwise is None else otherwise


def _nearest(name: str, names: Sequence[str], most: int, cutoff: float) -> list[str]:
    begun = [each for each in names if len(name.strip("-")) >= SHORTEST_BEGINNING and each.startswith(name)]
    similar = get_close_matches(name, names, n=max(most, 1), cutoff=cutoff)
    if begun:
        shortest = min(map(len, begun))
        similar = [*(each for each in begun if len(each) == shortest), *similar]
    return list(dict.fromkeys(similar))[:most]
