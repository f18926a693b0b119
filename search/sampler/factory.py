"""The contract of a sampler: how it is made for a study, and what it promises."""

from __future__ import annotations

from abc import ABC, abstractmethod

from optuna.samplers import BaseSampler

from search.sampler.candidate_predictions import CandidatePredictions


class SamplerFactory(ABC):
    """Makes one kind of sampler, which proposes the parameters of trials behind Optuna's interface.

    Every sampler proposes points of the space, and the same ones for the same seed and records.

    Attributes:
        name: Its name in studies.
        uses_predictions: Whether it uses candidate predictions; a sensitivity analysis is measured only for these.
        never_repeats: Whether it proposes no network twice while the space has others.
    """

    name: str
    uses_predictions: bool = False
    never_repeats: bool = False

    @abstractmethod
    def make(self, seed: int, predictions: CandidatePredictions | None) -> BaseSampler:
        """Return a new sampler.

        Args:
            seed: Seed of its random numbers.
            predictions: Predictions for the study's candidates; None if its objectives are not accuracy and latency.
        """

    def note(self, predictions: CandidatePredictions | None) -> str:
        """Return a line for the user if another sampler takes its place in this study, else an empty text."""
        return ""
