"""Ancestors of a network: the trained networks whose weights it inherited, one after another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ancestor:
    """Trained network whose weights another network inherited, directly or through further networks.

    The parent is no ancestor: every network of a study begins with it.

    Attributes:
        name: Name of its record; with the study's name before it (`nas_head/trial 3`) if it is of another study.
        checkpoint: Content hash of its weights.
        epochs: Epochs of its own training, without those of its ancestors.
    """

    name: str
    checkpoint: str
    epochs: int


def joined_lines(*lines: Iterable[Ancestor]) -> tuple[Ancestor, ...]:
    """Return the ancestors of a network that is joined from several: each once, in the order of the lines."""
    return tuple({ancestor.checkpoint: ancestor for line in lines for ancestor in line}.values())
