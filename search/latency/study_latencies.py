"""Latencies of a study's networks on all of its targets."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from objectives.base import Measurement
from objectives.device.target import Target
from search.latency.predictor import LatencyPredictor
from search.latency.source import LatencySource
from search.record.events import Note
from spaces.base import Candidate, CandidateError
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape


@dataclass(frozen=True, kw_only=True)
class StudyLatencies:
    """Measures latencies on the study's target and on its further targets.

    Attributes:
        source: Of the study's target, which limits and fronts use.
        predictor: Of the study's target.
        further: Sources of the further targets. Their latencies are only columns of tables.
    """

    source: LatencySource
    predictor: LatencyPredictor
    further: tuple[LatencySource, ...] = ()

    @property
    def target(self) -> Target:
        """The study's target."""
        return self.source.target

    def measure(self, candidate: Candidate, limit_ms: float | None = None) -> Measurement:
        """Return the latency on the study's target at the candidate's image size; the stored one, if there is one.

        Raises:
            CandidateError: If the network cannot be exported, loaded or run.
        """
        return self.source.latency(candidate, limit_ms)

    def measure_further(self, candidate: Candidate) -> tuple[Measurement, ...]:
        """Return the latency on each further target, without those on which the network does not run."""
        found = []
        for source in self.further:
            try:
                found.append(source.latency(candidate))
            except CandidateError as error:  # only a column: the search is not for that target
                source.say(Note(f"{source.name} is not measured: {error}"))
        return tuple(found)

    def predict_above(self, shape: Shape, limit_ms: float | None) -> Measurement | None:
        """Return the predicted latency of a shape if it is above the limit beyond doubt, else None."""
        return None if limit_ms is None else self.predictor.too_slow(shape, limit_ms)

    def remeasure_contended(self, parent: Parent, most: int = 1) -> int:
        """Measure up to `most` contended latencies again, over all targets. Return how many were measured.

        Args:
            parent: Networks of the measured shapes are built from it.
        """

        def build(shape: Shape) -> Candidate:
            spec = parent.structure.spec_of_widths(shape.widths, shape.dropped)  # which channels stay has no effect
            return replace(parent.build(spec), imgsz=shape.imgsz)

        done = 0
        for source in (self.source, *self.further):
            with suppress(CandidateError):  # it was measured before: the present trial is not at fault
                while done < most and source.remeasure_contended(parent.key, build):
                    done += 1
        return done
