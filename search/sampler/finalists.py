"""Finalists: networks that are trained further when the search is over, one step of training at a time.

Each step goes to the network with the greatest expected hypervolume improvement per second. The gain of a step is
extrapolated from the gains of earlier steps: accuracy grows with the logarithm of the epochs of training, at a rate
that is estimated for each network and shrunk to the mean of all.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.record.latency_text import LATENCY
from search.record.staircase import Staircase, Values
from search.record.trial import Outcome, TrialRecord
from search.trial.spending import MAX_FINALISTS, is_continued
from spaces.base import ParamValue

USUAL_RATE = 0.03
"""Accuracy that a training gains when the epochs behind it grow by a factor of e, before any step was observed."""
PRIOR_STEPS = 3.0
"""Number of observed steps that the mean rate counts as much as, in the estimate for one network."""
STEP_NOISE = 0.008
"""Standard deviation of the accuracy after a step, by the seed of its training."""
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

        Args:
            records: The study's records.
            step_epochs: Epochs of the step.
            running: Keys (`key_of`) of the parameters of trials that run now.
        """
        lines = [record for record in self._last_of_lines(records) if key_of(record.params) not in running]
        if not lines:
            return None
        latency = np.log([self._ms(record) for record in lines])
        reached = np.array([self._reached(record) for record in lines])
        gains = self._gains(lines, records, step_epochs)
        front = self._front(records)
        improvement = front.expected_gain(latency, reached + gains, np.full(len(lines), STEP_NOISE))
        seconds = np.array([_seconds_an_epoch(record) for record in lines]) * step_epochs
        order = np.argsort(-improvement / seconds)
        best = next((place for place in order if gains[place] >= MIN_GAIN), None)
        return None if best is None else NextStep(lines[best], float(gains[best]))

    def _last_of_lines(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Return the most accurate record of each network; only the chosen finalists once there are enough."""
        trials = [record for record in records if not record.is_reference and self._counts(record)]
        best: dict[str, TrialRecord] = {}
        for record in trials:
            key = record.spec.key if record.spec else ""
            if key not in best or record.line_epochs > best[key].line_epochs:
                best[key] = record
        finalists = {each.spec.key for each in trials if each.spec is not None and is_continued(each, records)}
        enough = len(finalists) >= MAX_FINALISTS
        return [record for key, record in best.items() if not enough or key in finalists]

    def _counts(self, record: TrialRecord) -> bool:
        complete = record.outcome is Outcome.COMPLETE and record.feasible
        return complete and record.value(LATENCY) is not None and record.value(self.accuracy) is not None

    def _gains(self, lines: Sequence[TrialRecord], records: Sequence[TrialRecord], step_epochs: int) -> Values:
        """Return the expected gain in accuracy of a step of each line, shape (M,)."""
        observed: dict[str, list[float]] = {}
        by_name = {record.name: record for record in records}
        for record in records:
            if record.spec is not None and self._counts(record) and is_continued(record, records):
                before = by_name[str(record.lineage)]
                growth = np.log(record.line_epochs / max(1, before.line_epochs))
                rate = (self._reached(record) - self._reached(before)) / max(float(growth), 1e-6)
                observed.setdefault(record.spec.key, []).append(rate)
        rates = [rate for of in observed.values() for rate in of]
        mean = (PRIOR_STEPS * USUAL_RATE + sum(rates)) / (PRIOR_STEPS + len(rates))
        found = []
        for record in lines:
            own = observed.get(record.spec.key if record.spec else "", [])
            rate = (PRIOR_STEPS * mean + sum(own)) / (PRIOR_STEPS + len(own))
            before_epochs = max(1, record.line_epochs)
            found.append(max(0.0, rate) * np.log((before_epochs + step_epochs) / before_epochs))
        return np.array(found)

    def _front(self, records: Sequence[TrialRecord]) -> Staircase:
        known = [record for record in records if self._counts(record)]
        latency = np.log([self._ms(record) for record in known])
        reached = np.array([self._reached(record) for record in known])
        worst_ms, worst = self.worst
        slowest = worst_ms if self.limit_ms is None else min(worst_ms, self.limit_ms * 1.001)
        return Staircase.of(latency, reached, float(np.log(slowest)), worst)

    def _ms(self, record: TrialRecord) -> float:
        return float(record.value(LATENCY) or 0.0)

    def _reached(self, record: TrialRecord) -> float:
        return float(record.value(self.accuracy) or 0.0)


def key_of(params: Mapping[str, ParamValue]) -> Hashable:
    """Return the parameters as a key that is equal for equal parameters."""
    return tuple(sorted(params.items()))


def _seconds_an_epoch(record: TrialRecord) -> float:
    return max(1e-3, record.seconds.get("training", 1.0)) / max(1, record.epochs)
