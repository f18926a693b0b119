"""Finalists: networks of a study with a budget that are trained further.

The finalist of a band of latency is the network there that is expected to be the most accurate after that
training. What is left after the last band goes, one step at a time, to the finalist with the greatest expected
hypervolume improvement per second.

The gain of a step is a share of what the network lacks of the best one: training for n epochs, after m epochs of the
same network, closes 1 - (m / (m + n))^r of that gap. The exponent r is estimated from the steps that were seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.record.continuation import continued_trials, own_epochs, params_key
from search.record.latency_text import LATENCY
from search.record.staircase import Values
from search.record.trial import Outcome, TrialRecord
from search.store.base import StudyEntry
from search.trial.bands import TOP_SPEED, Bands, Division, gap_of_front
from search.trial.plan import SearchPlan
from search.trial.reference_point import worst_point
from search.trial.spending import Spending
from spaces.base import PARENT, ParamValue

USUAL_EXPONENT = 0.45
"""Exponent of the gap before any step was seen: in 6 trainings (blood cells, yolov8n, 160 px) it was 0.32 to 0.96."""
MARGIN = 0.01
"""Accuracy above the best network's that a network may reach with more training."""
OWN_SHARE = 2.0
"""Weight of a step of the same network in the estimate of its exponent; that of the mean of all is 1."""
MIN_GAIN = 0.0015
"""Expected gain in accuracy of the best next step below which the study ends: far below the noise of a training."""
SAMPLES = 2
"""Number of networks that tell whether a band is of use."""
NO_DIFFERENCE = 0.001
"""Difference of expected accuracies within which the faster network is the better finalist: see decision 0016."""

Params = Mapping[str, ParamValue]


@dataclass(frozen=True)
class NextStep:
    """The network that is trained further next.

    Attributes:
        record: The last record of its training.
        gain: Expected gain in accuracy.
        params: The parameters of the trial that continues it.
    """

    record: TrialRecord
    gain: float
    params: Params


@dataclass(frozen=True)
class _Line:
    """A network that can be trained further, with the last record of its training."""

    record: TrialRecord
    params: Params
    ms: float
    reached: float
    own_epochs: int


@dataclass(frozen=True)
class FinalistChooser:
    """Chooses the network to train further.

    Attributes:
        accuracy: Name of the accuracy objective.
        worst: Latency in ms and accuracy of the reference point of the hypervolume.
        bands: The bands of latency.
        fastest_ms: Latency in ms beyond which no network is tried.
        donors: Names of donors, which may be finalists as trials are.
        point_of: Returns the parameters whose network a row is; None if it is no network of the space.
    """

    accuracy: str
    worst: tuple[float, float]
    bands: Bands
    fastest_ms: float
    donors: frozenset[str] = frozenset()
    point_of: Callable[[TrialRecord], Params | None] = field(default=lambda record: None)

    def best_of_band(
        self, records: Sequence[TrialRecord], band: int, step_epochs: int, running: Collection[Hashable] = ()
    ) -> NextStep | None:
        """Return the network of a band to train further, or of the next one; None if none there is worth it.

        Args:
            records: The study's records.
            band: Number of the band, from 0.
            step_epochs: Epochs of the training.
            running: Keys (`params_key`) of the parameters of trials that run now.
        """
        useful = [
            each
            for each in self._expected(records, step_epochs)
            if each[1] > self.worst[1] and params_key(each[0].params) not in running
        ]
        free = [each for each in useful if self.bands.holds(band, each[0].ms)]
        if not free:  # its trials were faster than they should be
            free = [each for each in useful if self.bands.holds(band + 1, each[0].ms)]
        if not free:
            return None
        most = max(accuracy for _, accuracy, _ in free)
        line, _, gain = min((each for each in free if each[1] >= most - NO_DIFFERENCE), key=lambda each: each[0].ms)
        return NextStep(line.record, float(gain), line.params)

    def is_too_narrow(self, records: Sequence[TrialRecord], band: int, step_epochs: int) -> bool:
        """Return whether no network of a band, or of faster ones, is expected to be of use after its training.

        One network does not tell: on digits one had 0.31 after three epochs, where others at its latency had 0.85.
        """
        _, slowest = self.bands.of(band)
        found = [accuracy for line, accuracy, _ in self._expected(records, step_epochs) if line.ms <= slowest]
        return len(found) >= SAMPLES and max(found) <= self.worst[1]

    def gap(
        self, records: Sequence[TrialRecord], running: Sequence[Params], epochs: int, *, beyond_finalists: bool = False
    ) -> tuple[float, float] | None:
        """Return the latencies in ms that a network in the greatest gap of the front should have; None without a gap.

        The front is that of the search: parent, donors and trials. Controls are what it has to beat. Only gaps on the
        slow side of a finalist are filled while it is trained: the others are left for its cuts.

        Args:
            records: The study's records.
            running: Parameters of the trials that run now, empty where they are not known yet.
            epochs: Epochs of a finalist's training.
            beyond_finalists: Whether gaps count as well that are left until a finalist is trained.
        """
        trials = [each for each in records if self._counts(each) and not each.is_beside_trials]
        rows = [each for each in records if self._counts(each) and each.name in (PARENT, *self.donors)]
        trained = [(self._ms(each), self._reached(each)) for each in (*rows, *trials)]
        keys = {params_key(params) for params in running}
        finalists = [
            (line.ms, value) for line, value, _ in self._expected(records, epochs) if params_key(line.params) in keys
        ]
        slower_than_ms = 0.0 if beyond_finalists else max((ms for ms, _ in finalists), default=0.0)
        tried_ms = [self._ms(each) for each in trials]
        others = len(running) - len(finalists)
        return gap_of_front([*trained, *finalists], self.worst, self.fastest_ms, tried_ms, others, slower_than_ms)

    def _expected(self, records: Sequence[TrialRecord], epochs: int) -> list[tuple[_Line, float, float]]:
        """Return each network with the accuracy that is expected after more epochs, and the gain."""
        lines = self._lines(records)
        gains = self._gains(lines, records, np.full(len(lines), epochs))
        return [(line, line.reached + float(gain), float(gain)) for line, gain in zip(lines, gains, strict=True)]

    def next_step(
        self, records: Sequence[TrialRecord], division: Division, left: float, running: Collection[Hashable] = ()
    ) -> NextStep | None:
        """Return the step with the greatest expected hypervolume improvement per second; None if none is worth it.

        The hypervolume is that of the front after one more step for each: with that of the present front the first
        network that is trained further would dominate all others.

        Args:
            records: The study's records.
            division: Tells the epochs of a step in each band.
            left: Epochs that are left; longer steps are shortened.
            running: Keys (`params_key`) of the parameters of trials that run now.
        """
        lines = self._lines(records)
        if not lines or left < 1:
            return None
        whole = division.finalist_epochs
        epochs = np.array([min(whole[self.bands.number_at(line.ms, len(whole))], left) for line in lines])
        gains = self._gains(lines, records, epochs)
        widths = self._widths_on_front(lines, gains, records)
        seconds = np.array([_seconds_an_epoch(line.record) for line in lines]) * epochs
        free = np.array([params_key(line.params) not in running for line in lines])
        worth = np.where(free & (gains >= MIN_GAIN), widths * gains / seconds, 0.0)
        best = int(np.argmax(worth))
        return NextStep(lines[best].record, float(gains[best]), lines[best].params) if worth[best] > 0 else None

    def _lines(self, records: Sequence[TrialRecord]) -> list[_Line]:
        """Return the networks that can be trained further, each once, with the record of its longest training."""
        longest: dict[str, TrialRecord] = {}
        for record in records:
            mine = not record.is_beside_trials or record.name in self.donors
            if not mine or record.spec is None or not self._counts(record):
                continue
            best = longest.get(record.spec.key)
            if best is None or record.line_epochs > best.line_epochs:
                longest[record.spec.key] = record
        own = own_epochs(records)
        found = []
        for record in longest.values():
            params = self.point_of(record) if record.is_beside_trials else record.params
            if params is not None:
                line = _Line(record, params, self._ms(record), self._reached(record), own[record.name])
                found.append(line)
        return found

    def _gains(self, lines: Sequence[_Line], records: Sequence[TrialRecord], epochs: NDArray[Any]) -> Values:
        """Return the accuracy that each network is expected to gain by its number of epochs, shape (M,)."""
        ceiling = MARGIN + max((self._reached(record) for record in records if self._counts(record)), default=0.0)
        steps = self._exponents(records, ceiling)
        seen = [exponent for of in steps.values() for exponent in of]
        mean = (USUAL_EXPONENT + sum(seen)) / (1 + len(seen))
        gains = []
        for line, more in zip(lines, epochs, strict=True):
            of = steps.get(line.record.spec.key if line.record.spec else "", [])
            exponent = (mean + OWN_SHARE * sum(of)) / (1 + OWN_SHARE * len(of))
            behind = max(1, line.own_epochs)
            gains.append((ceiling - line.reached) * (1.0 - (behind / (behind + more)) ** exponent))
        return np.array(gains)

    def _exponents(self, records: Sequence[TrialRecord], ceiling: float) -> dict[str, list[float]]:
        """Return the exponents of the steps that were seen, by network."""
        by_name, own = {record.name: record for record in records}, own_epochs(records)
        found: dict[str, list[float]] = {}
        for record in continued_trials(records):
            before = by_name[str(record.lineage)]
            if record.spec is None or not self._counts(record) or not self._counts(before):
                continue
            gap = ceiling - self._reached(before)
            closed = min(0.99, max(0.0, (self._reached(record) - self._reached(before)) / gap))
            growth = max(1, own[before.name]) / max(2, own[record.name])
            found.setdefault(record.spec.key, []).append(float(np.log(1.0 - closed) / np.log(growth)))
        return found

    def _widths_on_front(self, lines: Sequence[_Line], gains: Values, records: Sequence[TrialRecord]) -> Values:
        """Return for each line how much of the front's log latency it covers, shape (M,); 0 if it is not on it."""
        rows = [each for each in records if each.is_beside_trials and not each.is_repeated and self._counts(each)]
        latency = np.log([*(line.ms for line in lines), *(self._ms(row) for row in rows)])
        reached = np.array([*(line.reached for line in lines), *(self._reached(row) for row in rows)])
        reached[: len(lines)] += gains
        worst_ms, worst = self.worst
        limit_ms = self.bands.limit_ms
        slowest = float(np.log(worst_ms if limit_ms is None else min(worst_ms, limit_ms * 1.001)))
        chosen = _front(latency, reached, slowest, worst)
        ends = np.append(latency[chosen][1:], slowest)
        widths = np.zeros(len(latency))
        widths[chosen] = ends - latency[chosen]
        found: Values = widths[: len(lines)]
        return found

    def _counts(self, record: TrialRecord) -> bool:
        complete = record.outcome is Outcome.COMPLETE and record.feasible
        return complete and record.value(LATENCY) is not None and record.value(self.accuracy) is not None

    def _ms(self, record: TrialRecord) -> float:
        return float(record.value(LATENCY) or 0.0)

    def _reached(self, record: TrialRecord) -> float:
        return float(record.value(self.accuracy) or 0.0)


def finalist_chooser_of(
    study: StudyEntry,
    plan: SearchPlan,
    records: Sequence[TrialRecord],
    spending: Spending,
    narrowest_ms: float | None = None,
) -> FinalistChooser:
    """Return what chooses the finalists of a study whose objectives are an accuracy and latency.

    Args:
        records: With those of the parent and the donors.
        spending: Tells the donors and the number of bands.
        narrowest_ms: Latency in ms of the narrowest network of the space, beyond which no band begins.
    """

    def point_of(row: TrialRecord) -> Params | None:
        """Return the point of a donor, if a trial of it would be the very same network."""
        point = None if plan.searched or row.checkpoint is None else plan.space.point_of_donor(row.checkpoint)
        return point if point is not None and plan.decode(point)[0] == row.spec else None

    parent_ms = next((ms for each in records if each.name == PARENT if (ms := each.value(LATENCY)) is not None), None)
    worst = worst_point(study, plan, records)
    count = spending.division(records).bands
    parent_ms = worst[0] if parent_ms is None else parent_ms
    bands = Bands.dividing(parent_ms, plan.limits.get(LATENCY), count, narrowest_ms)
    fastest_ms = parent_ms / TOP_SPEED if narrowest_ms is None else narrowest_ms
    return FinalistChooser(study.objectives[0][0], worst, bands, fastest_ms, spending.donors, point_of)


def _front(latency: Values, reached: Values, slowest: float, worst: float) -> NDArray[np.intp]:
    """Return the indices of the non-dominated networks, the fastest first."""
    inside = np.flatnonzero((latency < slowest) & (reached > worst))
    order = inside[np.lexsort((-reached[inside], latency[inside]))]
    before = np.maximum.accumulate(np.append(worst, reached[order]))[:-1]
    found: NDArray[np.intp] = order[reached[order] > before]
    return found


def _seconds_an_epoch(record: TrialRecord) -> float:
    return max(1e-3, record.seconds.get("training", 1.0)) / max(1, record.epochs)
