"""Finalists: networks that are trained further when the search is over, one step of training at a time.

Each step goes to the network with the greatest expected hypervolume improvement per second. The gain of a step is
extrapolated from the gains of earlier steps: accuracy grows with the logarithm of the epochs of training, at a rate
that is estimated for each network and shrunk to the mean of all.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.record.continuation import continued_trials
from search.record.latency_text import LATENCY
from search.record.staircase import Values
from search.record.trial import Outcome, TrialRecord
from search.trial.spending import MAX_FINALISTS
from spaces.base import ParamValue

USUAL_RATE = 0.03
"""Accuracy gained when the epochs behind a network grow by a factor of e; counts as one observed step."""
PRIOR_STEPS = 3.0
"""Number of observed steps that the mean rate counts as much as, in the estimate for one network."""
MIN_GAIN = 0.0015
"""Expected gain in accuracy of the best next step below which the study ends: far below the noise of a training."""


@dataclass(frozen=True)
class NextStep:
    """The network that is trained further next.

    Attributes:
        record: The last record of its line.
        gain: Expected gain in accuracy.
    """

    record: TrialRecord
    gain: float

    @property
    def params(self) -> Mapping[str, ParamValue]:
        """The parameters of the trial that continues it."""
        return self.record.params


@dataclass(frozen=True)
class FinalistChooser:
    """Chooses the network to train further.

    Attributes:
        accuracy: Name of the accuracy objective.
        worst: Latency in ms and accuracy of the reference point of the hypervolume.
        limit_ms: Upper limit of the latency; None for no limit.
    """

    accuracy: str
    worst: tuple[float, float]
    limit_ms: float | None = None

    def next_step(
        self, records: Sequence[TrialRecord], step_epochs: int, running: Collection[Hashable] = ()
    ) -> NextStep | None:
        """Return the step with the greatest expected hypervolume improvement per second; None if none is worth it.

        The hypervolume is that of the front on which all finalists will be trained equally. With that of the present
        front the first network that is trained further would dominate all others, and get everything.

        Args:
            records: The study's records.
            step_epochs: Epochs of the step.
            running: Keys (`params_key`) of the parameters of trials that run now.
        """
        lines = self._last_of_lines(records)
        if not lines:
            return None
        rates = self._rates(lines, records)
        behind = np.array([max(1, record.line_epochs) for record in lines], dtype=np.float64)
        widths = self._widths_on_front(lines, rates * np.log(behind.max() / behind), records)
        gains = rates * np.log((behind + step_epochs) / behind)
        seconds = np.array([_seconds_an_epoch(record) for record in lines]) * step_epochs
        free = np.array([params_key(record.params) not in running for record in lines])
        worth = np.where(free & (gains >= MIN_GAIN), widths * gains / seconds, 0.0)
        best = int(np.argmax(worth))
        return NextStep(lines[best], float(gains[best])) if worth[best] > 0 else None

    def _widths_on_front(self, lines: Sequence[TrialRecord], more: Values, records: Sequence[TrialRecord]) -> Values:
        """Return for each line how much of the front's log latency it covers, shape (M,); 0 if it is no finalist.

        Args:
            more: Accuracy that each line is expected to gain until all have the same training behind them, shape (M,).
        """
        rows = [each for each in records if each.is_beside_trials and not each.is_repeated and self._counts(each)]
        latency = np.log([self._ms(record) for record in (*lines, *rows)])
        reached = np.array([self._reached(record) for record in (*lines, *rows)])
        reached[: len(lines)] += more
        worst_ms, worst = self.worst
        slowest = float(np.log(worst_ms if self.limit_ms is None else min(worst_ms, self.limit_ms * 1.001)))
        chosen = _most_hypervolume(latency, reached, slowest, worst, MAX_FINALISTS, len(lines))
        ends = np.append(latency[chosen][1:], slowest)
        widths = np.zeros(len(latency))
        widths[chosen] = ends - latency[chosen]
        found: Values = widths[: len(lines)]
        return found

    def _last_of_lines(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Return the most accurate record of each network; only the chosen finalists once there are enough."""
        trials = [record for record in records if not record.is_beside_trials and self._counts(record)]
        best: dict[str, TrialRecord] = {}
        for record in trials:
            key = record.spec.key if record.spec else ""
            if key not in best or record.line_epochs > best[key].line_epochs:
                best[key] = record
        finalists = {each.spec.key for each in continued_trials(records) if each.spec is not None}
        enough = len(finalists) >= MAX_FINALISTS
        return [record for key, record in best.items() if not enough or key in finalists]

    def _counts(self, record: TrialRecord) -> bool:
        complete = record.outcome is Outcome.COMPLETE and record.feasible
        return complete and record.value(LATENCY) is not None and record.value(self.accuracy) is not None

    def _rates(self, lines: Sequence[TrialRecord], records: Sequence[TrialRecord]) -> Values:
        """Return the accuracy that each line gains when the epochs behind it grow by a factor of e, shape (M,)."""
        observed: dict[str, list[float]] = {}
        by_name = {record.name: record for record in records}
        for record in continued_trials(records):
            if record.spec is not None and self._counts(record):
                before = by_name[str(record.lineage)]
                growth = np.log(record.line_epochs / max(1, before.line_epochs))
                rate = (self._reached(record) - self._reached(before)) / max(float(growth), 1e-6)
                observed.setdefault(record.spec.key, []).append(rate)
        rates = [rate for of in observed.values() for rate in of]
        mean = (USUAL_RATE + sum(rates)) / (1 + len(rates))
        own = [observed.get(record.spec.key if record.spec else "", []) for record in lines]
        return np.array([max(0.0, (PRIOR_STEPS * mean + sum(of)) / (PRIOR_STEPS + len(of))) for of in own])

    def _ms(self, record: TrialRecord) -> float:
        return float(record.value(LATENCY) or 0.0)

    def _reached(self, record: TrialRecord) -> float:
        return float(record.value(self.accuracy) or 0.0)


def _most_hypervolume(
    latency: Values, reached: Values, slowest: float, worst: float, most: int, lines: int
) -> NDArray[np.intp]:
    """Return the indices of the front, by latency; of the lines (the first indices) at most a number of them.

    The line with the smallest contribution leaves first.
    """
    inside = np.flatnonzero((latency < slowest) & (reached > worst))
    order = inside[np.lexsort((-reached[inside], latency[inside]))]
    before = np.maximum.accumulate(np.append(worst, reached[order]))[:-1]
    front = order[reached[order] > before]
    while (front < lines).sum() > most:
        steps = np.diff(np.append(worst, reached[front])) * np.diff(np.append(latency[front], slowest))
        front = np.delete(front, int(np.argmin(np.where(front < lines, steps, np.inf))))
    return front


def params_key(params: Mapping[str, ParamValue]) -> Hashable:
    """Return the parameters as a key that is equal for equal parameters."""
    return tuple(sorted(params.items()))


def _seconds_an_epoch(record: TrialRecord) -> float:
    return max(1e-3, record.seconds.get("training", 1.0)) / max(1, record.epochs)
