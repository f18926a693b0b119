"""The second half of a message about an unknown name: the name that was probably meant, or the known ones."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(
    name: str, known: Iterable[str], otherwise: str | None = None, *, most: int = 1, cutoff: float = 0.6
) -> str:
    """Return `did you mean ort-cpu?`, or `otherwise` if no known name is similar.

    Args:
        otherwise: Text without a similar name; by default the known names: `there are ort-cpu, torch-cpu`.
        most: Maximum number of suggested names.
        cutoff: Minimum similarity of names, in [0, 1].
    """
    names = list(known)
    near = get_close_matches(name, names, n=most, cutoff=cutoff)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(names) or 'none'}" if otherwise is None else otherwise
