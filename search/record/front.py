"""The Pareto front of records: its members, its hypervolume and its knee point. The only importer of moocore.

Values are rows with one figure for each objective, in the objective's own direction. No caller negates a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
import numpy.typing as npt

from objectives.base import Direction

Rows = Sequence[Sequence[float]]


def non_dominated(values: Rows, directions: Sequence[Direction]) -> tuple[int, ...]:
    """Return the positions of the rows that no other row dominates, ascending.

    A row dominates another if it is worse in no objective and better in at least one. Of equal rows only the first is
    kept: the later one adds nothing to the front, and the earlier one may already have been reported.

    Args:
        values: (N, M) finite figures, M objectives.
        directions: M directions.
    """
    if not len(values):
        return ()
    kept = moocore.is_nondominated(_matrix(values, directions), maximise=_maximise(directions), keep_weakly=False)
    return tuple(int(index) for index in np.flatnonzero(kept))


def hypervolume(values: Rows, directions: Sequence[Direction], reference_point: Sequence[float]) -> float:
    """Return the volume that the rows dominate up to the reference point, in the product of the objectives' units.

    Rows that are not better than the reference point in every objective add nothing.

    Args:
        values: (N, M) finite figures; dominated rows may be among them.
        reference_point: M figures in the objectives' own directions.
    """
    if not len(values):
        return 0.0
    bound = np.asarray(reference_point, dtype=float)
    return float(moocore.hypervolume(_matrix(values, directions), ref=bound, maximise=_maximise(directions)))


def knee(values: Rows, directions: Sequence[Direction]) -> int:
    """Return the position of the knee point: the row with the best compromise between the objectives.

    The front is scaled so that each objective runs from 0 (best on the front) to 1 (worst on it); the knee has
    the least sum. For two objectives that is the point furthest below the line between the front's two ends.

    Source: Das, "On characterizing the knee of the Pareto curve", Structural Optimization 18 (1999).

    Raises:
        ValueError: If there are no rows.
    """
    front = non_dominated(values, directions)
    if not front:
        raise ValueError("no rows given; a knee needs at least one")
    losses = _matrix(values, directions)[list(front)]
    losses[:, _maximise(directions)] *= -1
    spread = np.ptp(losses, axis=0)
    scaled = (losses - losses.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    return front[int(np.argmin(scaled.sum(axis=1)))]


@dataclass(frozen=True)
class Front:
    """Named points that do not dominate each other, kept up to date one point at a time.

    Attributes:
        names: Ascending in the last objective.
        values: (N, M), one row a name.
    """

    directions: tuple[Direction, ...]
    names: tuple[str, ...] = ()
    values: tuple[tuple[float, ...], ...] = ()

    def with_point(self, name: str, value: Sequence[float]) -> Front:
        """Return the front with one more point. It is the same front if a member dominates or equals the point."""
        names, values = (*self.names, name), (*self.values, tuple(value))
        kept = non_dominated(values, self.directions)
        if len(names) - 1 not in kept:
            return self
        ordered = sorted(kept, key=lambda index: values[index][-1])
        return Front(self.directions, tuple(names[i] for i in ordered), tuple(values[i] for i in ordered))

    def hypervolume(self, reference_point: Sequence[float]) -> float:
        """Return the hypervolume of the members up to the reference point."""
        return hypervolume(self.values, self.directions, reference_point)


def _matrix(values: Rows, directions: Sequence[Direction]) -> npt.NDArray[np.float64]:
    matrix = np.array(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != len(directions):
        raise ValueError(f"values have shape {matrix.shape}; expected (N, {len(directions)})")
    if not np.isfinite(matrix).all():
        raise ValueError("values hold NaN or infinity; only finite figures can be compared")
    return matrix


def _maximise(directions: Sequence[Direction]) -> list[bool]:
    return [Direction(direction) is Direction.MAXIMIZE for direction in directions]
