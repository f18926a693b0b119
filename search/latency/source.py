"""Sources of latencies: the one interface for a target on this machine and for one on another machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from objectives.base import Measurement
from objectives.device.target import Target
from search.latency.predictor import LatencyPredictor
from search.record.events import Say
from spaces.base import Candidate
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure


class LatencySource(ABC):
    """Latencies of a study's networks on one target.

    Attributes:
        name: Name of its measurements: `latency_ms`, or `latency_ms.openvino-cpu` for one of the further targets.
        say: Receives notes for the user.
    """

    name: str
    say: Say

    @property
    @abstractmethod
    def target(self) -> Target:
        """The target that the latencies belong to."""

    @property
    @abstractmethod
    def reference_ms(self) -> float:
        """The frozen time of the target's reference network.

        Raises:
            LookupError: If it is not frozen yet.
        """

    @abstractmethod
    def freeze_reference(self) -> float:
        """Return the frozen time of the reference network in ms. Measure and store it first, if nobody has."""

    @abstractmethod
    def latency(self, candidate: Candidate, limit_ms: float | None = None) -> Measurement:
        """Return the latency at the candidate's image size; the stored one, if its shape was measured before.

        Args:
            candidate: Not modified.
            limit_ms: Limit of the study: a slower network is measured less precisely.

        Raises:
            CandidateError: If the network cannot be exported, loaded or run.
        """

    @abstractmethod
    def predictor_of(self, structure: Structure) -> LatencyPredictor:
        """Return a predictor for the networks of a structure on this target. Freezes the reference if needed."""

    @abstractmethod
    def remeasure_contended(self, structure: str, rebuild: Callable[[Shape], Candidate]) -> bool:
        """Measure one shape again that has contended measurements only, if the device is idle now.

        Args:
            structure: Key of the parent's structure; shapes of other structures cannot be rebuilt.
            rebuild: Builds a network of a shape.

        Returns:
            Whether a shape was measured.

        Raises:
            CandidateError: If the network cannot be measured now.
        """
