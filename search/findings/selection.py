"""Select a stored network: a trial, a reference row, the best under a latency, the knee point."""

from __future__ import annotations

import re
from collections.abc import Sequence

from objectives.base import Direction
from objectives.quantities import LATENCY_MS, MAP50_95
from search.record.confirmed_study import ConfirmedStudy, apply_confirmation
from search.record.front import knee
from search.record.names import meant_name, trial_number
from search.record.trial import TrialRecord
from search.record.words import OUTCOME_WORDS
from search.store.base import Store, StudyEntry
from search.study.faults import DefinitionError
from search.study.file_objectives import accuracy_aimed_at
from spaces.suggestion import did_you_mean

Objectives = Sequence[tuple[str, Direction]]
LATENCY_LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms)?")


def select_network(
    store: Store,
    study: StudyEntry,
    *,
    number: int | None = None,
    name: str | None = None,
    under_ms: float | None = None,
) -> TrialRecord:
    """Return the network with a number, name or latency; by default that at the knee of the front.

    Args:
        number: Number of a trial.
        name: Name of a reference row or trial.
        under_ms: Highest latency; selects the most accurate feasible network.

    Raises:
        DefinitionError: If there is none, or its weights were not kept.
    """
    records = confirmed_study(store, study).records
    if number is not None:
        return by_number(records, number)
    if name is not None:
        return by_name(records, name)
    if under_ms is not None:
        return best_under(records, under_ms, accuracy_aimed_at(name for name, _ in study.objectives))
    return at_knee(records, study.objectives)


def by_number(records: Sequence[TrialRecord], number: int, option: str = "--trial") -> TrialRecord:
    """Return the trial with that number.

    Args:
        option: Option that the user gave the number with, for the message.

    Raises:
        DefinitionError: If there is none, or its weights were not kept.
    """
    for record in records:
        if record.number == number:
            return _with_weights(record)
    stored = sorted(record.number for record in records if record.number is not None and record.checkpoint)
    have = f"with weights are {_ranges(stored)}" if stored else "no trial is finished yet"
    raise DefinitionError(f"{option} is {number}; {have}")


def confirmed_study(store: Store, study: StudyEntry, *, curves: bool = False) -> ConfirmedStudy:
    """Return the study's records and front with the latencies of its newest confirmation, if there is one.

    `--best-under` and `--knee` select from these, and reports show them.
    """
    fronts, confirmations = store.fronts(study), store.confirmations(study)
    front = fronts[-1].members if fronts else ()
    newest = confirmations[-1] if confirmations else None
    return apply_confirmation(store.records(study, curves=curves), front, study.objectives, newest)


def by_name(records: Sequence[TrialRecord], name: str, option: str = "--name") -> TrialRecord:
    """Return the reference row or trial with that name.

    Args:
        option: Option that the user gave the name with, for the message.

    Raises:
        DefinitionError: If there is none, or its weights were not kept.
    """
    meant = meant_name(name, (record.name for record in records))
    for record in records:
        if record.name == meant:
            return _with_weights(record)
    names = [record.name for record in records if record.is_reference]
    if (number := trial_number(name)) is not None:
        return by_number(records, number, option)
    raise DefinitionError(f"{option} is '{name}'; {did_you_mean(name, names)}")


def best_under(records: Sequence[TrialRecord], limit_ms: float, accuracy: str = MAP50_95.name) -> TrialRecord:
    """Return the most accurate feasible network whose `latency_ms` is at most `limit_ms`.

    Raises:
        DefinitionError: If there is none; the message names the fastest.
    """
    known = [
        (record, score, ms)
        for record in _usable(records)
        if (score := record.value(accuracy)) is not None and (ms := record.value(LATENCY_MS.name)) is not None
    ]
    if not known:
        raise DefinitionError(f"--best-under: no finished network{_within(records)} has both accuracy and latency yet")
    enough = [each for each in known if each[2] <= limit_ms]
    if not enough:
        fastest, _, ms = min(known, key=lambda each: each[2])
        raise DefinitionError(f"--best-under is {limit_ms:g} ms; the fastest is {fastest.name} with {ms:.3g} ms")
    return max(enough, key=lambda each: (each[1], -each[2]))[0]


def at_knee(records: Sequence[TrialRecord], objectives: Objectives) -> TrialRecord:
    """Return the network at the knee of the front: see `search.record.front.knee`.

    Raises:
        DefinitionError: If no network has all objectives yet.
    """
    names = [name for name, _ in objectives]
    rows = [(r, [r.value(name) for name in names]) for r in _usable(records)]
    known = [(record, [v for v in values if v is not None]) for record, values in rows if None not in values]
    if not known:
        raise DefinitionError(f"--knee: no finished network{_within(records)} has {' and '.join(names)} yet")
    chosen = knee([values for _, values in known], [direction for _, direction in objectives])
    return known[chosen][0]


def milliseconds(text: str) -> float:
    """Return the number in `5ms`, `5 ms` or `5`.

    Raises:
        DefinitionError: If the text is no latency.
    """
    match = LATENCY_LIMIT.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise DefinitionError(f"--best-under is '{text}'; write a latency such as 5ms")
    return float(match[1])


def _usable(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [each for each in records if each.checkpoint is not None and each.feasible and not each.is_repeated]


def _within(records: Sequence[TrialRecord]) -> str:
    """Return words that name the limits as the reason, if no finished network meets them."""
    finished = any(record.checkpoint is not None for record in records)
    return " within the limits" if finished and not _usable(records) else ""


def _with_weights(record: TrialRecord) -> TrialRecord:
    if record.checkpoint is None:
        reason = f": {record.reason}" if record.reason else ""
        raise DefinitionError(f"{record.name} has no weights, it is {OUTCOME_WORDS[record.outcome]}{reason}")
    return record


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as ranges: `0-3, 5` for 0, 1, 2, 3, 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
