"""What is known of a study's candidates before any is built: their latency, and which of them are equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from objectives.base import Direction
from objectives.device.target import Target
from objectives.timing.latency_model import FittedLatency, LatencyModel, Observation
from search.latency.local import stored_key
from search.latency.predictor import measured
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.sampler.network_features import NetworkFeatures
from search.sampler.start_points import nearest_ratios
from search.sampler.warm_start import Earlier, Known, earlier_trainings, trained_points
from search.store.base import Store, StudyEntry
from search.trial.learning_curves import Curve, Ends
from search.trial.stopping import finished_curves
from search.trial.workbench import Plan, Workbench
from spaces.allocation.summed_sensitivity import HalvingDamage
from spaces.base import ParamValue
from spaces.search_spaces.ratios import PREFIX as RATIO
from spaces.search_spaces.repeats import PREFIX as REPEATS
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure

Point = Mapping[str, ParamValue]
MAP50_95, IMGSZ = "map50_95", "recipe.imgsz"

HINTS = 24
"""Points that every pool has beside those that are drawn."""


class Outlook(NamedTuple):
    """Of M points: latency in ms, measured or predicted, a key that equal networks share, and features, (M, D)."""

    latency_ms: NDArray[np.float64]
    keys: tuple[str, ...]
    features: NDArray[np.float64]


class _Decoded(NamedTuple):
    """What a point stands for: its shape, what that is stored under, and the key that equal networks share."""

    shape: Shape
    stored: str
    key: str


@dataclass
class Foresight:
    """Looks at candidates of one study on one target.

    Attributes:
        reference_ms: The frozen time of the target's reference.
        rows: Latency in ms and accuracy of the networks that stand beside the trials: parent, donors, controls.
        worst: Latency in ms and accuracy of the reference point of the hypervolume.
        limit_ms: What is slower is ruled out; None for no limit.
        controls: Those of the study's controls that are points of its space, trained as its trials are.
        earlier: Trainings of other studies of the same parent and data.
        damage: What halving each channel group does, if it was measured.
    """

    plan: Plan
    store: Store
    study: StudyEntry
    target: Target
    structure: Structure
    reference_ms: float
    rows: Sequence[tuple[float, float]]
    worst: tuple[float, float]
    limit_ms: float | None = None
    controls: Sequence[Known] = ()
    earlier: Sequence[Earlier] = ()
    damage: HalvingDamage | None = None
    _fitted: tuple[int, FittedLatency] | None = field(default=None, repr=False)
    _known: dict[str, float] = field(default_factory=dict, repr=False)
    _records: list[TrialRecord] = field(default_factory=list, repr=False)
    _decoded: dict[Hashable, _Decoded] = field(default_factory=dict, repr=False)

    def look(self, points: Sequence[Point], *, often: bool = False) -> Outlook | None:
        """At M points; None while nothing is measured on the target yet.

        Args:
            often: They are looked at again and again: each is decoded once.
        """
        fitted = self._fit()
        if fitted is None:
            return None
        decoded = self._decode_once(points) if often else self._decode(points)
        predicted_ms = fitted.predict([each.shape for each in decoded]).mean * self.reference_ms
        latency_ms = [self._known.get(each.stored, ms) for each, ms in zip(decoded, predicted_ms, strict=True)]
        return Outlook(np.array(latency_ms), tuple(each.key for each in decoded), self._features(points, decoded))

    def keys(self, tried: Sequence[Point]) -> set[str]:
        """As `look` gives them, of points that are asked for again and again: each is decoded once."""
        return {each.key for each in self._decode_once(tried)}

    def features(self, tried: Sequence[Point]) -> NDArray[np.float64]:
        """(M, D), as `look` gives them, of points that are asked for again and again."""
        return self._features(tried, self._decode_once(tried))

    def damages(self, points: Sequence[Point]) -> NDArray[np.float64] | None:
        """(M,), what was cut of each; None if it was not measured what halving does, or it is not all that is done."""
        smaller = any(name == IMGSZ or name.startswith(REPEATS) for name in self.plan.parameters)
        if self.damage is None or smaller:
            return None
        return self.damage.total([each.shape.widths for each in self._decode(points)])

    def _features(self, points: Sequence[Point], decoded: Sequence[_Decoded]) -> NDArray[np.float64]:
        whole = [group.width for group in self.structure.groups]
        described = NetworkFeatures(self.plan.parameters, whole, self.damage)
        return described.of(points, [each.shape.widths for each in decoded])

    def _decode_once(self, tried: Sequence[Point]) -> list[_Decoded]:
        values = [self._values(point) for point in tried]
        for point, key in zip(tried, values, strict=True):
            if key not in self._decoded:
                self._decoded[key] = self._decode_new(point)
        return [self._decoded[key] for key in values]

    @cached_property
    def _values(self) -> Callable[[Point], Hashable]:
        """Of a point its values alone, in one order: of a thousand points many times as fast as in plain Python."""
        return itemgetter(*self.plan.parameters)

    def _decode(self, points: Sequence[Point]) -> list[_Decoded]:
        return [self._decoded.get(self._values(point)) or self._decode_new(point) for point in points]

    def _decode_new(self, point: Point) -> _Decoded:
        spec, origin, recipe = self.plan.decode(point)
        shape = Shape.of_spec(spec, recipe.imgsz)
        return _Decoded(shape, stored_key(shape, self.target), f"{spec.key} {origin.key} {recipe.key}")

    @cached_property
    def hints(self) -> list[Point]:
        """Cuts that damage all groups alike, from hardly any to the most that the space has.

        Known in spaces of one ratio a group of the parent; parameters of a recipe or of depth are left open.
        """
        parameters, groups = self.plan.parameters, self.structure.groups
        cut_anew = any(name not in self.plan.searched and not name.startswith((RATIO, REPEATS)) for name in parameters)
        if self.damage is None or cut_anew:  # what is cut of a donor is no share of the parent's channels
            return []
        if any(f"{RATIO}{group.tie or group.name}" not in parameters for group in groups):
            return []
        thinnest = min(each.low for name, each in parameters.items() if name.startswith(RATIO))  # type: ignore[union-attr]
        shares = np.geomspace(1.0, thinnest, HINTS + 1)[1:]
        return [nearest_ratios(parameters, groups, self.damage.evenly(float(share))) for share in shares]

    def half_known(self) -> list[Known]:
        """Trials that were stopped, with the mAP50-95 that their curves foretold when they were."""
        if self.study.objectives[0][0] != MAP50_95:
            return []
        self._records += self.store.records(self.study, after=len(self._records))
        records = self._records
        found = []
        ends: dict[int, Ends] = {}
        for record in records:
            latency_ms = record.value(LATENCY)
            if record.outcome is not Outcome.STOPPED or not record.rungs or latency_ms is None:
                continue
            epochs = int(record.recipe["epochs"])
            if epochs not in ends:
                ends[epochs] = Ends(finished_curves(records, epochs))
            foretold = ends[epochs].of(Curve(latency_ms, record.rungs))
            if foretold is not None:
                found.append(Known(record.params, latency_ms, foretold.mean, foretold.error**2))
        return found

    def _fit(self) -> FittedLatency | None:
        """The newest fit to what was measured; anew when there is more."""
        if self._fitted is None or self._fitted[0] != self.store.latency_count(self.target.key):
            entries = self.store.latencies(self.target.key)
            found = measured(entries, self.structure.key)
            self._known = {entry.shape_key: entry.measurement.value for entry in found}
            seen = [(each.shape, each.measurement.ratio) for each in found]
            observed = [Observation(shape, ratio) for shape, ratio in seen if shape is not None and ratio is not None]
            if not observed:
                return None
            usual_px = Counter(each.shape.imgsz for each in observed).most_common(1)[0][0]
            self._fitted = len(entries), LatencyModel(self.structure, usual_px).fit(observed)
        return self._fitted[1]


def can_foresee(objectives: Sequence[tuple[str, Direction]]) -> bool:
    """Whether a study's objectives are one accuracy, to be maximized, and then latency."""
    (_, direction), *others = objectives
    return direction is Direction.MAXIMIZE and list(others) == [(LATENCY, Direction.MINIMIZE)]


def foresight_of(
    study: StudyEntry,
    plan: Plan,
    bench: Workbench,
    records: Sequence[TrialRecord],
    damage: HalvingDamage | None = None,
) -> Foresight | None:
    """What a study's sampler can know beforehand; None where `can_foresee` says no."""
    if not can_foresee(study.objectives):
        return None
    accuracy = study.objectives[0][0]
    worst_accuracy, worst_ms = study.frozen["reference_point"]
    rows = [row for row in records if row.is_reference and row.feasible and not row.is_polished]
    beside = [(row.value(LATENCY), row.value(accuracy)) for row in rows]
    return Foresight(
        plan,
        bench.store,
        study,
        bench.target,
        bench.parent.structure,
        bench.timekeeper.reference_ms,
        [(ms, value) for ms, value in beside if ms is not None and value is not None],
        (worst_ms, worst_accuracy),
        plan.limits.get(LATENCY),
        trained_points(rows, plan, bench.parent.structure, accuracy),
        earlier_trainings(bench.store, study, plan),
        damage,
    )
