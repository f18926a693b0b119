"""Predictions for a study's candidates before they are built: latency, loss increase, and which of them are equal."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from objectives.base import Direction
from search.latency.predictor import LatencyPredictor
from search.latency.stored_latencies import stored_key
from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord, trained_accuracy
from search.sampler.candidate_pool import Point
from search.sampler.hints import cheapest_points, even_cuts
from search.sampler.network_features import NetworkFeatures
from search.sampler.prior_mean import PriorMean, largest_px_of, prior_of_studies, searches_size, sizes_of
from search.sampler.warm_start import (
    EarlierTraining,
    KnownPoint,
    copied_points,
    earlier_trainings,
    stopped_points,
    trained_points,
)
from search.store.base import Store, StudyEntry
from search.trial.bands import TOLERANCE
from search.trial.plan import SearchPlan
from search.trial.reference_point import worst_point
from search.trial.trained_networks import WiderNetwork, is_cut_of, wider_network_of
from search.trial.workbench import Workbench
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import ArchSpec
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure


class Predictions(NamedTuple):
    """Predictions for M points: latency in ms, a key shared by equal networks, features (M, D), prior mean accuracy."""

    latency_ms: NDArray[np.float64]
    keys: tuple[str, ...]
    features: NDArray[np.float64]
    expected: NDArray[np.float64] | None


class _Decoded(NamedTuple):
    """The network of a point: its spec, shape, the key that its latency is stored under, and that of equal networks."""

    spec: ArchSpec
    shape: Shape
    stored: str
    key: str


@dataclass(kw_only=True)
class CandidatePredictions:
    """Predicts candidates of one study on one target.

    Attributes:
        latency: Predicts the latency of shapes on the target.
        rows: Latency in ms and accuracy of the networks beside the trials.
        worst: Latency in ms and accuracy of the reference point of the hypervolume.
        limit_ms: Upper limit; slower candidates are ruled out. None for no limit.
        controls: Points that were trained as trials are: controls in the space, and copied trials of another study.
        copied: Number of these copied trials.
        earlier: Trainings of other studies with the same parent and data.
        sensitivity: Loss increase when each channel group is halved, if it was measured.
        measure_loss: Measures by how much the loss of a point's network, untrained, exceeds the parent's, with the
            weights of a wider trained network if there is one; None if it is not measured.
        measure_latency: Measures the latency of a point's network in ms, and returns None if that fails; None if it is
            not measured before a trial.
        starts: Number of first trials that take start points of the space.
        prior: The prior mean of accuracy, if there is one.
        band: Latencies in ms that the next proposal should have: above the first, at most the second. None for any.
        running: Parameters of the trials that run now.
    """

    plan: SearchPlan
    store: Store
    study: StudyEntry
    latency: LatencyPredictor
    structure: Structure
    rows: Sequence[tuple[float, float]]
    worst: tuple[float, float]
    limit_ms: float | None = None
    controls: Sequence[KnownPoint] = ()
    copied: int = 0
    earlier: Sequence[EarlierTraining] = ()
    sensitivity: SummedSensitivity | None = None
    measure_loss: Callable[[Point, WiderNetwork | None], float] | None = None
    measure_latency: Callable[[Point], float | None] | None = None
    starts: int = 0
    prior: PriorMean | None = None
    band: tuple[float, float] | None = None
    running: Sequence[Point] = ()
    _losses: dict[str, float] = field(default_factory=dict, repr=False)
    _cheapest: dict[Hashable, list[Point]] = field(default_factory=dict, repr=False)
    _records: list[TrialRecord] = field(default_factory=list, repr=False)
    _decoded: dict[Hashable, _Decoded] = field(default_factory=dict, repr=False)

    def predict(self, points: Sequence[Point], *, often: bool = False) -> Predictions | None:
        """Predict M points; None while nothing is measured on the target yet.

        Args:
            often: Whether these points are predicted again and again; each is then decoded only once.
        """
        decoded = self._decode_once(points) if often else self._decode(points)
        ratios = self.latency.ratios([each.shape for each in decoded])
        if ratios is None:
            return None
        measured_ms, predicted_ms = self.latency.measured_ms, ratios.mean * self.latency.reference_ms
        latency_ms = [measured_ms.get(each.stored, ms) for each, ms in zip(decoded, predicted_ms, strict=True)]
        features, expected = self._features(points, decoded), self._expected(decoded)
        return Predictions(np.array(latency_ms), tuple(each.key for each in decoded), features, expected)

    def keys(self, tried: Sequence[Point]) -> set[str]:
        """Return the keys of `predict`, for points that are asked for again and again: each is decoded only once."""
        return {each.key for each in self._decode_once(tried)}

    def features(self, tried: Sequence[Point]) -> NDArray[np.float64]:
        """Return the features of `predict`, shape (M, D), for points that are asked for again and again."""
        return self._features(tried, self._decode_once(tried))

    def expected(self, tried: Sequence[Point]) -> NDArray[np.float64] | None:
        """Return the prior mean of points that are asked for again and again, shape (M,); None without a prior."""
        return self._expected(self._decode_once(tried))

    def _expected(self, decoded: Sequence[_Decoded]) -> NDArray[np.float64] | None:
        if self.prior is None:
            return None
        specs, px = [each.spec for each in decoded], [each.shape.imgsz for each in decoded]
        return self.prior.expect(sizes_of(specs, px, largest_px_of(self.plan)))

    @property
    def ranks_untrained(self) -> bool:
        """True if there is a sensitivity analysis, which ranks candidates before any training."""
        return self.sensitivity is not None and bool(self.hints)

    def untrained_losses(self, points: Sequence[Point]) -> list[float]:
        """Return the increase of the loss of M untrained networks over the parent's; each network is measured once.

        In a band of latency they have the weights of the wider network that it begins with.

        Raises:
            ValueError: If it is not measured in this study.
        """
        if self.measure_loss is None:
            raise ValueError("the loss of untrained candidates is not measured in this study")
        found, wider = [], self.wider()
        for point, decoded in zip(points, self._decode_once(points), strict=True):
            key = decoded.key if wider is None else f"{decoded.key} from {wider.name}"
            if key not in self._losses:
                self._losses[key] = self.measure_loss(point, wider)
            found.append(self._losses[key])
        return found

    def wider(self) -> WiderNetwork | None:
        """Return the trained network that networks of the band are cut from; None without a band, and in the first."""
        if self.band is None or not self.plan.inherits:
            return None
        return wider_network_of(self._known_records(), self.band[1] * (1.0 + TOLERANCE), self.running)

    def for_band(self, wider: WiderNetwork | None, points: Sequence[Point], places: Sequence[int]) -> list[int]:
        """Return the places of the points that a band may try; all without a band.

        Their networks have no channel that the wider one lacks, if there is one, and were not trained before: a trial
        would train such a network further, for as long as a finalist.
        """
        if self.band is None:
            return list(places)
        trained = {record.spec for record in self._known_records() if record.epochs}
        specs = [each.spec for each in self._decode([points[place] for place in places])]
        new = [(place, spec) for place, spec in zip(places, specs, strict=True) if spec not in trained]
        return [place for place, spec in new if wider is None or is_cut_of(spec, wider.spec)]

    def loss_increases(self, points: Sequence[Point]) -> NDArray[np.float64] | None:
        """Return the estimated loss increase of M points, shape (M,).

        With a prior mean it is how much less accurate than the best of them each is expected to be. None without a
        sensitivity analysis, or if image size or depth is searched too, which the estimate does not cover.
        """
        if (expected := self._expected(self._decode(points))) is not None:
            return np.max(expected) - expected
        if self.sensitivity is None or searches_size(self.plan):
            return None
        return self.sensitivity.total([each.shape.widths for each in self._decode(points)])

    def _features(self, points: Sequence[Point], decoded: Sequence[_Decoded]) -> NDArray[np.float64]:
        whole = [group.width for group in self.structure.groups]
        described = NetworkFeatures(self.plan.parameters, whole, self.sensitivity)
        return described.of(points, [each.shape.widths for each in decoded])

    def _decode_once(self, tried: Sequence[Point]) -> list[_Decoded]:
        for point in tried:
            if (key := self._values(point)) not in self._decoded:
                self._decoded[key] = self._decode_new(point)
        return [self._decoded[self._values(point)] for point in tried]

    @cached_property
    def _values(self) -> Callable[[Point], Hashable]:
        """A getter of a point's values in one order; for a thousand points many times faster than plain Python."""
        return itemgetter(*self.plan.parameters)

    def _decode(self, points: Sequence[Point]) -> list[_Decoded]:
        return [self._decoded.get(self._values(point)) or self._decode_new(point) for point in points]

    def _decode_new(self, point: Point) -> _Decoded:
        spec, origin, recipe = self.plan.decode(point)
        shape = Shape.of_spec(spec, recipe.imgsz)
        return _Decoded(spec, shape, stored_key(shape, self.latency.target), f"{spec.key} {origin.key} {recipe.key}")

    @cached_property
    def hints(self) -> list[Point]:
        """Points that are expected to be good before any training: those of the plan, and even cuts by sensitivity."""
        even = [] if self.sensitivity is None else even_cuts(self.plan.space, self.sensitivity)
        return [*self.plan.hints, *even]

    def cheapest(self) -> list[Point]:
        """Return points that lose least for the time they save, by the present latency predictor, slowest first.

        They are cuts of the wider network that the band begins with, else of the whole one, down to the band that is
        searched. There are none without a band or a sensitivity analysis that covers the space.
        """
        wider = self.wider()
        key = (self.band, None if wider is None else wider.name)
        if self.band is not None and key not in self._cheapest:
            self._cheapest[key] = self._found_cheapest(None if wider is None else wider.spec, self.band[0])
        return self._cheapest.get(key, [])

    def _found_cheapest(self, wider: ArchSpec | None, fastest_ms: float) -> list[Point]:
        first = Shape.of_spec(self.structure.full_spec, self.plan.recipe.imgsz)
        if self.sensitivity is None or self.loss_increases([]) is None or self.latency.ratios([first]) is None:
            return []

        def latency_of(widths: Sequence[Sequence[int]]) -> NDArray[np.float64]:
            ratios = self.latency.ratios([Shape(first.parent, tuple(each), (), first.imgsz) for each in widths])
            return np.array([]) if ratios is None else ratios.mean * self.latency.reference_ms

        widest = None if wider is None else [len(kept) for kept in wider.kept]
        return cheapest_points(self.plan.space, self.sensitivity, latency_of, fastest_ms, widest)

    def stopped_trials(self) -> list[KnownPoint]:
        """Return the stopped trials, each with the final accuracy that its learning curve predicted."""
        records = self._known_records()
        return stopped_points(records) if self.study.objectives[0][0] == trained_accuracy(records).name else []

    def line_epochs(self, numbers: Sequence[int]) -> list[int]:
        """Return the epochs of training since the parent of these complete trials."""
        known = {record.number: record.line_epochs for record in self._known_records()}
        return [known.get(number, 0) for number in numbers]

    def _known_records(self) -> Sequence[TrialRecord]:
        self._records += self.store.records(self.study, after=len(self._records))
        return self._records


def can_predict(objectives: Sequence[tuple[str, Direction]]) -> bool:
    """Return whether a study's objectives are one accuracy, to be maximized, and then latency."""
    (_, direction), *others = objectives
    return direction is Direction.MAXIMIZE and list(others) == [(LATENCY, Direction.MINIMIZE)]


def candidate_predictions_of(
    study: StudyEntry,
    plan: SearchPlan,
    bench: Workbench,
    records: Sequence[TrialRecord],
    sensitivity: SummedSensitivity | None = None,
) -> CandidatePredictions | None:
    """Return the predictions for a study's sampler; None where `can_predict` is false."""
    if not can_predict(study.objectives):
        return None
    accuracy = study.objectives[0][0]
    rows = [row for row in records if row.is_reference and row.feasible and not (row.is_polished or row.is_repeated)]
    copied = copied_points(rows, plan, accuracy)
    beside = [(row.value(LATENCY), row.value(accuracy)) for row in rows]
    return CandidatePredictions(
        plan=plan,
        store=bench.store,
        study=study,
        latency=bench.latencies.predictor,
        structure=bench.parent.structure,
        rows=[(ms, value) for ms, value in beside if ms is not None and value is not None],
        worst=worst_point(study, plan, records),
        limit_ms=plan.limits.get(LATENCY),
        controls=[*trained_points(rows, plan, bench.parent.structure, accuracy), *copied],
        copied=len(copied),
        earlier=earlier_trainings(bench.store, study, plan, rows),
        sensitivity=sensitivity,
        prior=prior_of_studies(bench.store, study, plan),
        _records=list(records),
    )
