"""The plausible study in Optuna's tables too."""

from __future__ import annotations

from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler
from search.store.base import StudyEntry
from spaces.base import Categorical, Float, Parameter
from tests.search.plausible import DONORS, Plausible


def tell_sampler(url: str, study: StudyEntry, plausible: Plausible) -> None:
    """Tell the trials to Optuna under the same URL, as a worker does after `Store.add`."""
    parameters: dict[str, Parameter] = {
        "backbone": Categorical(DONORS), "head": Categorical(DONORS),
        **{f"ratio.{stage}": Float(0.5, 1.0, step=0.125) for stage in range(4)},
    }  # fmt: skip
    optuna = OptunaStudy(url, study.sampler_name, study.objectives, parameters, make_sampler("random", seed=0))
    for record in plausible.records:
        if record.number is not None:
            number, _ = optuna.ask()
            assert number == record.number
            optuna.tell(record)
