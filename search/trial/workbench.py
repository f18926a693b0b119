"""What a worker process has at hand, loaded once: data, parent, latency meter, checkpoints; and what to search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from objectives.base import EpochResult, Measurement
from objectives.data.dataset import Dataset
from objectives.device.target import Target
from objectives.metrics.base import AfterTraining, BeforeTraining
from objectives.metrics.cost import count_parameters
from objectives.metrics.registry import Tools, objectives_after_training, objectives_before_training
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.quantities import VAL
from objectives.recipe import Recipe
from objectives.training.batchnorm import reestimate
from objectives.training.training import Trained, train
from search.latency.predictor import LatencyPredictor
from search.latency.source import LatencySource
from search.record.events import Note
from search.record.latency_text import LATENCY
from search.store.base import Store
from spaces.base import ArchSpec, Candidate, CandidateError, Origin, Parameter, ParamValue, Space
from spaces.networks.checkpoint import CheckpointStore
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape

BATCHNORM_IMAGES = 256
"""Images that BatchNorm statistics are re-estimated on; more changes accuracy by less than its noise."""

NO_LIMITS: Mapping[str, float] = {}


@dataclass(frozen=True)
class Plan:
    """What a study searches, and under which limits.

    Attributes:
        starts: Parameters of the first trials.
        recipe: Values of the fields that are not searched.
        searched: Ranges of the recipe's fields that are, by `recipe.<field>`.
        limits: Upper bounds by name of a measurement; a candidate above one is ruled out before training.
    """

    space: Space
    starts: tuple[Mapping[str, ParamValue], ...]
    recipe: Recipe
    searched: Mapping[str, Parameter]
    limits: Mapping[str, float]
    seed: int

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Everything that the sampler sets: architecture and recipe."""
        return {**self.space.parameters, **self.searched}

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin, Recipe]:
        """Turn a sampler's parameters into what is to be built and how it is trained."""
        shape = {name: value for name, value in params.items() if name not in self.searched}
        spec, origin = self.space.decode(shape)
        chosen = {name.removeprefix("recipe."): params[name] for name in self.searched}
        return spec, origin, self.recipe.with_values(**chosen)

    def violation(self, constraints: Mapping[str, float]) -> str:
        """In words which limits are missed and by how much."""
        missed = {name: excess for name, excess in constraints.items() if excess > 0}
        said = [f"{name} is {self.limits[name] + by:.3g}, limit {self.limits[name]:.3g}" for name, by in missed.items()]
        return "; ".join(said)


def excess_over(limits: Mapping[str, float], measurements: Sequence[Measurement]) -> dict[str, float]:
    """For each limit by how much it is missed (> 0) or met (<= 0), in the limit's unit."""
    figures = {measurement.name: measurement.value for measurement in measurements}
    return {name: figures[name] - limit for name, limit in limits.items()}


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """The tools of one worker process. The data is scanned and the meter started once, not once per trial."""

    store: Store
    data: Dataset
    parent: Parent  # structure and weights; replaced by the trained one once it is known
    checkpoints: CheckpointStore
    maps: Path  # folder of sensitivity maps
    latency_source: LatencySource  # of the study's target
    latency_predictor: LatencyPredictor  # of the study's target
    device: str
    scratch: Path
    confidence: float
    iou: float
    seed: int
    further_sources: tuple[LatencySource, ...] = ()  # of the targets that are columns only
    progress: Callable[[int, int, int, int], None] | None = None
    named: frozenset[str] = frozenset()  # quantities that the study names as objectives or limits

    @property
    def target(self) -> Target:
        """The target whose latency limits and fronts use."""
        return self.latency_source.target

    @cached_property
    def parent_parameters(self) -> int:
        """Number of parameters of the unpruned parent, counted as a candidate's."""
        return count_parameters(self.parent.candidate())

    @property
    def scored_splits(self) -> tuple[str, ...]:
        """The splits that accuracy is reported on: val first, then every further test split."""
        return (VAL, *(name for name in self.data.splits if name not in ("train", VAL)))

    def before_training(self, limits: Mapping[str, float] = NO_LIMITS) -> tuple[BeforeTraining, ...]:
        """Return the objectives that are measured of a candidate.

        Args:
            limits: Upper limits of the study; what is far above one is measured less precisely.
        """
        return objectives_before_training(Tools(self.parent_parameters, self.latency, limits), self.named)

    @property
    def after_training(self) -> tuple[AfterTraining, ...]:
        """The objectives that are measured of a trained network."""
        return objectives_after_training(self.named)

    def reloaded_network(self, candidate: Candidate) -> ReloadedNetwork:
        """Return a saved and reloaded network with the data that it is evaluated on."""
        return ReloadedNetwork(candidate, self.data, self.scored_splits, self.device, self.confidence, self.iou)

    def latency(self, candidate: Candidate, limit_ms: float | None = None) -> Measurement:
        """Return the latency on the study's target at the candidate's image size; the stored one, if there is one."""
        return self.latency_source.latency(candidate, limit_ms)

    def too_slow(self, shape: Shape, limits: Mapping[str, float]) -> Measurement | None:
        """Return the predicted latency of a network if it is above its limit beyond doubt."""
        if LATENCY not in limits:
            return None
        return self.latency_predictor.too_slow(shape, limits[LATENCY])

    def further_latencies(self, candidate: Candidate) -> tuple[Measurement, ...]:
        """Return the latency on each further target; a network that does not run on one has none there."""
        found = []
        for source in self.further_sources:
            try:
                found.append(source.latency(candidate))
            except CandidateError as error:  # only a column: the search is not for that target
                source.say(Note(f"{source.name} is not measured: {error}"))
        return tuple(found)

    def remeasure_contended(self, most: int = 1) -> int:
        """Measure up to `most` contended latencies again, over all targets. Return how many were measured."""
        done = 0
        for source in (self.latency_source, *self.further_sources):
            with suppress(CandidateError):  # it was measured before: the present trial is not at fault
                while done < most and source.remeasure_contended(self.parent.key, self._of_shape):
                    done += 1
        return done

    def _of_shape(self, shape: Shape) -> Candidate:
        """Return a network of that shape; its latency does not depend on which channels it keeps."""
        spec = self.parent.structure.spec_of_widths(shape.widths, shape.dropped)
        return replace(self.parent.build(spec), imgsz=shape.imgsz)

    def train(
        self,
        candidate: Candidate,
        recipe: Recipe,
        report: Callable[[EpochResult], None] | None,
        teacher: Candidate | None = None,
        *,
        inherited: bool = True,
    ) -> Trained:
        """Re-estimate BatchNorm on inherited weights, then fine-tune."""
        if inherited:
            images = min(BATCHNORM_IMAGES, len(self.data.splits["train"].images))
            candidate = reestimate(candidate, self.data, recipe, batches=max(1, images // recipe.batch))
        return train(
            candidate,
            recipe,
            self.data,
            seed=self.seed,
            device=self.device,
            scratch=self.scratch,
            teacher=teacher if recipe.distill else None,
            report=report,
            progress=self.progress,
        )

    def with_parent(self, parent: Parent) -> Workbench:
        """The same tools around the trained parent."""
        return replace(self, parent=parent)
