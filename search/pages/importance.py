"""Share of the variation of an objective that each parameter of the search explains by itself."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from search.record.trial import Outcome, TrialRecord
from spaces.base import ParamValue

FEWEST_TRIALS = 20
"""Minimum number of complete trials; of fewer, the shares would be chance."""
BINS = 4
"""Number of groups that the values of a number are sorted into, each with about as many trials."""
MOST = 8
"""Maximum number of parameters in the list."""


@dataclass(frozen=True)
class Importance:
    """One parameter, and the share of the objective's variance in [0, 1] that it explains alone."""

    parameter: str
    share: float


def importances(records: Sequence[TrialRecord], objective: str) -> tuple[Importance, ...]:
    """Return the parameters that matter most, the most important first; nothing for too few trials.

    The share is the correlation ratio between the parameter's groups, adjusted for their number. Interactions are not
    told apart, and parameters that the search chose together share what they explain.
    """
    known = [
        (record.params, value)
        for record in records
        if not record.is_reference and record.outcome is Outcome.COMPLETE
        if (value := record.value(objective)) is not None
    ]
    if len(known) < FEWEST_TRIALS:
        return ()
    names = dict.fromkeys(name for params, _ in known for name in params if not name.startswith("cut."))
    found = [Importance(name, _share(known, name)) for name in names]
    return tuple(sorted((each for each in found if each.share > 0), key=lambda each: -each.share)[:MOST])


def _share(known: Sequence[tuple[Mapping[str, ParamValue], float]], name: str) -> float:
    pairs = [(params[name], value) for params, value in known if params.get(name) is not None]
    groups = _groups(pairs)
    count = len(pairs)
    if len(groups) < 2 or count - len(groups) < FEWEST_TRIALS // 2:
        return 0.0
    mean = sum(value for _, value in pairs) / count
    total = sum((value - mean) ** 2 for _, value in pairs)
    within = sum((value - sum(group) / len(group)) ** 2 for group in groups for value in group)
    if not total:
        return 0.0
    return max(0.0, 1.0 - (within / (count - len(groups))) / (total / (count - 1)))


def _groups(pairs: Sequence[tuple[ParamValue, float]]) -> list[list[float]]:
    """Return the objective's values by the parameter's category, or by the quantile of its number."""
    distinct = {given for given, _ in pairs}
    numbers = all(isinstance(given, int | float) and not isinstance(given, bool) for given in distinct)
    groups: dict[Hashable, list[float]] = {}
    if not numbers or len(distinct) <= BINS:
        for given, value in pairs:
            groups.setdefault(given, []).append(value)
        return list(groups.values())
    ordered = sorted(pairs, key=lambda pair: float(pair[0]))
    for place, (_, value) in enumerate(ordered):
        groups.setdefault(place * BINS // len(ordered), []).append(value)
    return list(groups.values())
