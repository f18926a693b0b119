"""The short form of the verdict: at one budget, a search without inheritance or without bands of latency is worse.

Accuracy comes from formulas: a cut costs accuracy, which training gives back ever more slowly. The sampler, the choice
of finalists and the search for a start among trained networks are the real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from search.record.ancestors import Ancestor
from search.record.staircase import Staircase
from search.record.trial import TrialRecord
from search.sampler.budgeted import BudgetedSampler, BudgetState
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.finalists import FinalistChooser
from search.sampler.optuna_study import OptunaStudy, distribution_of
from search.sampler.registry import make_sampler
from search.store.sql import open_store
from search.study.budget import Budget
from search.trial.bands import Bands
from search.trial.spending import Spending
from search.trial.trained_networks import TrainedNetworks, WiderNetwork
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import ArchSpec, ParamValue
from spaces.networks.checkpoint import CheckpointStore
from tests.search.sampler.problem import WORST_MS, Problem
from tests.search.work.quick_trials import OBJECTIVES, _score

pytestmark = pytest.mark.slow(file_s=60)

EPOCHS, BUDGET = 3, 180
PARENT_MS = 8.0
BANDS = Bands(PARENT_MS, step=1.2)
USEFUL = 0.6
"""Accuracy of the reference point; the parent has 0.75."""
LOST_AT_ONCE = 0.8
"""Accuracy that is lost when all channels are cut at once."""
RECOVERY = 0.45
"""Exponent of the recovery: training for n epochs leaves (1 + n)^-RECOVERY of what was lost, as in `finalists`."""


class EveryCheckpoint(CheckpointStore):
    """A folder that holds all weights."""

    def __contains__(self, key: object) -> bool:
        return True


@dataclass
class TrainedSearch:
    """A search with a budget whose trials begin with the weights of trained networks, by formulas."""

    problem: Problem
    told: CandidatePredictions
    inherits: bool = True
    divides: bool = True

    def __post_init__(self) -> None:
        problem = self.problem
        problem.plan = replace(problem.plan, inherits=self.inherits)
        chooser = FinalistChooser("map50_95", (WORST_MS, 0.0), BANDS, PARENT_MS / 4)
        spending = Spending(Budget(epochs=BUDGET), frozenset(), EPOCHS)
        self.state = BudgetState(problem.store, problem.study, spending, chooser if self.divides else None)
        predictions = replace(self.told, plan=problem.plan, measure_loss=self.loss if self.inherits else None)
        distributions = {name: distribution_of(each) for name, each in problem.plan.parameters.items()}
        sampler = BudgetedSampler(make_sampler("front", 0, (), predictions), self.state, distributions, predictions)
        self.optuna = OptunaStudy("sqlite://", "adds up", OBJECTIVES, problem.plan.parameters, sampler)
        structure = problem.parent.structure
        self.trained = TrainedNetworks(problem.store, problem.study, EveryCheckpoint(Path()), structure.key)
        self.lacking: dict[str, float] = {}

    def run(self) -> list[TrialRecord]:
        """Run trials one after another until the budget ends the study."""
        while not self.state.is_over():
            number, params = self.optuna.ask()
            self.problem.measure(params)
            record = self.train(number, params)
            self.problem.store.add(self.problem.study, record, None)
            self.optuna.tell(record)
        return list(self.state.records())

    def train(self, number: int, params: dict[str, ParamValue]) -> TrialRecord:
        """Return the record of a trial that begins with the best start and lacks less accuracy after it."""
        record = replace(self.problem.record(number, params), checkpoint=f"c{number}", seconds={"training": 3.0})
        assert record.spec is not None
        epochs, line = EPOCHS, tuple[Ancestor, ...]()
        lacks, before = self.start(record.spec)
        if before is not None:
            line = before.line
            if before.spec == record.spec:
                division = self.state.spending.division(self.state.records())
                place = BANDS.number_at(record.value("latency_ms") or 0.0, division.bands)
                epochs = division.finalist_epochs[place]
                record = replace(record, lineage=before.name)
        lacks *= (1.0 + epochs) ** -RECOVERY
        self.lacking[record.checkpoint or ""] = lacks
        reached = self.problem.accuracy(params) - lacks
        return replace(record, recipe={"epochs": epochs}, ancestors=line, evaluations=(_score(reached),))

    def start(self, spec: ArchSpec) -> tuple[float, TrialRecord | None]:
        """Return the accuracy that a network lacks before its training, and the network that it begins with."""
        whole = self.problem.parent.full_spec()
        options: list[tuple[float, TrialRecord | None]] = [(cost_of_cut(spec, whole), None)]
        around = self.trained.most_trained_around(spec)
        for record in (*self.trained.nearest(spec, 3), *([around] if around else [])):
            if record.spec is not None and (self.inherits or record.spec == spec):
                lacked = self.lacking[record.saved_checkpoint] + cost_of_cut(spec, record.spec)
                options.append((lacked, record))
        return min(options, key=lambda option: option[0])

    def loss(self, params: object, wider: WiderNetwork | None) -> float:
        """Return the untrained loss increase of a candidate that begins with the weights of a wider network."""
        spec, _, _ = self.problem.plan.decode(params)  # type: ignore[arg-type]
        whole = self.problem.parent.full_spec()
        return cost_of_cut(spec, whole if wider is None else wider.spec)


def cost_of_cut(spec: ArchSpec, start: ArchSpec) -> float:
    """Return the accuracy that is lost when a network gets the weights of another one; missing channels cost more."""
    pairs = list(zip(spec.kept, start.kept, spec.widths, strict=True))
    cut = np.mean([len(set(had) - set(kept)) / width for kept, had, width in pairs])
    missing = np.mean([len(set(kept) - set(had)) / width for kept, had, width in pairs])
    return LOST_AT_ONCE * float(cut + 3.0 * missing)


def volume(records: Sequence[TrialRecord]) -> float:
    """Return the hypervolume above a useful accuracy."""
    latency, accuracy = np.array(
        [(each.value("latency_ms"), each.value("map50_95")) for each in records], dtype=float
    ).T
    return Staircase.of(np.log(latency), accuracy, np.log(WORST_MS), USEFUL).hypervolume


def search(problem: Problem, sensitivity: SummedSensitivity | None, **off: bool) -> list[TrialRecord]:
    """Return the records of a search from its beginning."""
    fresh = Problem(problem.parent, open_store("sqlite://"))
    fresh.measure(dict.fromkeys(fresh.plan.parameters, 1.0))
    return TrainedSearch(fresh, replace(fresh.predictions(), sensitivity=sensitivity), **off).run()


def test_training_adds_up_from_band_to_band(problem: Problem, told: CandidatePredictions) -> None:
    whole = search(problem, told.sensitivity)
    finalists = [record for record in whole if record.lineage]
    assert len(finalists) >= 2
    last = finalists[1].number or 0  # after the second band come networks in gaps of the front
    for record in whole[:last]:
        earlier = [each for each in finalists if (each.number or 0) < (record.number or 0)]
        if earlier and not record.lineage:
            assert earlier[-1].checkpoint in [each.checkpoint for each in record.ancestors], record.name
    lines = [record.line_epochs for record in finalists]
    assert lines[0] < lines[1]
    assert max(lines) >= 0.6 * BUDGET, "little training is lost"

    alone = search(problem, told.sensitivity, inherits=False)
    undivided = search(problem, told.sensitivity, divides=False)
    for other in (alone, undivided):
        assert sum(record.epochs for record in other) >= 0.9 * BUDGET
        assert volume(other) < 0.95 * volume(whole)
