"""Objective, and its two kinds: measured of a candidate before its training, or of the trained network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from objectives.base import Evaluation, Measurement
from objectives.metrics.reloaded_network import ReloadedNetwork
from objectives.quantities import Quantity
from spaces.base import Candidate

Subject = TypeVar("Subject", contravariant=True)


class Objective(ABC, Generic[Subject]):
    """Measures one or more quantities of a network.

    Attributes:
        quantities: All that it measures, in the order of the measurements.
    """

    quantities: ClassVar[tuple[Quantity, ...]]

    @abstractmethod
    def measure(self, subject: Subject, /) -> tuple[Measurement | Evaluation, ...]:
        """Return all figures of a network, which is not modified."""


class BeforeTraining(Objective[Candidate]):
    """Measures an untrained candidate. Its quantities depend on the architecture alone, not on the weights.

    Attributes:
        phase: Phase of a trial that its time counts as: `build` or `latency`.
    """

    phase: ClassVar[str] = "build"

    @abstractmethod
    def measure(self, candidate: Candidate, /) -> tuple[Measurement, ...]:
        """Return one measurement of each quantity; the candidate is not modified.

        Raises:
            CandidateError: If this candidate cannot be measured (does not run, export or load).
        """


class AfterTraining(Objective[ReloadedNetwork]):
    """Measures a network that was trained, saved and loaded again: each of its quantities on each split."""

    @abstractmethod
    def measure(self, network: ReloadedNetwork, /) -> tuple[Measurement | Evaluation, ...]:
        """Return the figures of each split, val first; the network is not modified.

        An `Evaluation` holds the figures that every study stores. Any other accuracy is a `Measurement` for each
        split, named by `Quantity.of_split`, so that it needs no column in the database.

        Raises:
            CandidateError: If the network gives NaN or infinite outputs, or memory runs out.
        """
