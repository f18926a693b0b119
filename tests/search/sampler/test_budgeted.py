"""A study with a budget: a search, then finalists that are trained further, until nothing is left or worth it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from search.findings.training_effort import effort_text, training_effort
from search.record.copied import named_with_study
from search.record.trial import TrialRecord
from search.sampler.budgeted import BudgetedSampler, BudgetState
from search.sampler.finalists import FinalistChooser, params_key
from search.sampler.optuna_study import OptunaStudy, distribution_of
from search.sampler.registry import make_sampler
from search.study.budget import Budget
from search.trial.spending import MAX_FINALISTS, Spending
from spaces.base import ParamValue
from tests.search.sampler.problem import Problem
from tests.search.work.quick_trials import OBJECTIVES, _score

EPOCHS = 3


@dataclass
class BudgetedSearch:
    """A search by a sampler with a budget. Accuracy follows from the widths and grows with the line of training.

    Attributes:
        rate: Accuracy that is gained when the epochs of the line grow by a factor of e.
    """

    problem: Problem
    budget: Budget
    rate: float
    repeats: int = 0

    def __post_init__(self) -> None:
        problem = self.problem
        spending = Spending(self.budget, frozenset(), EPOCHS, self.repeats)
        chooser = FinalistChooser("map50_95", (9.0, 0.0))
        self.state = BudgetState(problem.store, problem.study, spending, chooser)
        inner = make_sampler("front", 0, (), problem.predictions())
        distributions = {name: distribution_of(each) for name, each in problem.plan.parameters.items()}
        sampler = BudgetedSampler(inner, self.state, distributions)
        self.optuna = OptunaStudy("sqlite://", "budgeted", OBJECTIVES, problem.plan.parameters, sampler)

    def run(self, most: int = 200) -> list[TrialRecord]:
        """Run trials one after another until the budget ends the study."""
        while not self.state.is_over():
            number, params = self.optuna.ask()
            assert number < most, "the study does not end"
            self.problem.measure(params)
            record = self.trained(number, params)
            self.problem.store.add(self.problem.study, record, None)
            self.optuna.tell(record)
        return list(self.state.records())

    def trained(self, number: int, params: dict[str, ParamValue]) -> TrialRecord:
        """Return the record of a trial; of one whose parameters were tried before, its continuation."""
        record = replace(self.problem.record(number, params), checkpoint=f"{number}", seconds={"training": 3.0})
        before = [each for each in self.state.records() if each.params == record.params]
        if before:
            epochs = self.state.spending.step_epochs(self.state.records())
            record = replace(record, lineage=before[-1].name, ancestors=before[-1].line, recipe={"epochs": epochs})
        gained = self.rate * math.log(record.line_epochs / EPOCHS)
        return replace(record, evaluations=(_score(self.problem.accuracy(params) * 0.9 + gained),))


@pytest.fixture
def finished(problem: Problem) -> BudgetedSearch:
    search = BudgetedSearch(problem, Budget(epochs=150), rate=0.02)
    search.run()
    return search


def parts(records: Sequence[TrialRecord]) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """Return the trials of the search, and those that train a network further."""
    return [each for each in records if not each.lineage], [each for each in records if each.lineage]


def test_the_budget_is_spent_on_a_search_and_then_on_a_few_finalists(finished: BudgetedSearch) -> None:
    searched, continued = parts(finished.state.records())
    assert len(searched) == 150 * 0.4 / EPOCHS
    assert [each.number for each in searched] == list(range(len(searched)))  # all of them before the first finalist
    step = finished.state.spending.step_epochs(finished.state.records())
    assert {each.recipe["epochs"] for each in continued} == {step}
    assert 150 <= sum(each.epochs for each in finished.state.records()) < 150 + step
    networks = {each.spec.key for each in continued if each.spec}
    assert 2 <= len(networks) <= MAX_FINALISTS


def test_finalists_are_not_dominated_when_they_are_chosen(finished: BudgetedSearch) -> None:
    searched, continued = parts(finished.state.records())
    best = {each.name: (each.value("latency_ms") or 0, each.value("map50_95") or 0) for each in searched}
    for record in continued:
        first = record.ancestors[0].name
        ms, reached = best[first]
        assert not any(other_ms < ms and other > reached + 0.02 for other_ms, other in best.values())


def test_the_study_ends_when_no_step_is_worth_its_training(problem: Problem) -> None:
    search = BudgetedSearch(problem, Budget(epochs=600), rate=0.0)  # training further brings nothing
    records = search.run()
    _, continued = parts(records)
    assert continued, "it is tried before it is known"
    assert sum(each.epochs for each in records) < 600


def test_a_network_that_trains_now_is_not_given_to_another_worker(finished: BudgetedSearch) -> None:
    records = finished.state.records()
    chooser = finished.state.chooser
    assert chooser is not None
    first = chooser.next_step(records, 5)
    assert first is not None
    second = chooser.next_step(records, 5, {params_key(first.params)})
    assert second is not None and second.params != first.params


def test_a_limit_on_latency_keeps_slower_networks_from_being_finalists(finished: BudgetedSearch) -> None:
    records = finished.state.records()
    latencies = sorted(each.value("latency_ms") or 0 for each in records)
    limit = latencies[len(latencies) // 2]
    step = FinalistChooser("map50_95", (9.0, 0.0), limit_ms=limit).next_step(records, 5)
    assert step is not None
    assert (step.record.value("latency_ms") or 0) <= limit


def test_the_division_is_said_before_and_after(finished: BudgetedSearch) -> None:
    spending, records = finished.state.spending, finished.state.records()
    assert spending.plan_text(records) == (
        "budget of 150 epochs: 0 for the donors, 60 to search (20 trials of 3), 90 for up to 6 finalists (7 at a time)"
    )
    _, continued = parts(records)
    epochs = sum(each.epochs for each in continued)
    assert f"{60 + epochs} epochs trained in 1 min" in effort_text(training_effort(records))
    assert f"{epochs} of them to train finalists further" in effort_text(training_effort(records))


def test_time_is_a_budget_too(problem: Problem) -> None:
    records = BudgetedSearch(problem, Budget(seconds=60.0), rate=0.02).run()  # 3 s a trial
    searched, continued = parts(records)
    assert (len(searched), len(continued)) == (8, 12)


def test_a_part_is_kept_back_to_repeat_a_training(problem: Problem) -> None:
    search = BudgetedSearch(problem, Budget(epochs=150), rate=0.02, repeats=1)
    records = search.run()
    spending = search.state.spending
    step = spending.step_epochs(records)
    assert step == 90 // 13
    assert spending.plan_text(records).endswith("6 finalists (6 at a time) and for 1 repeated training")
    assert 150 - step <= spending.spent(records) < 150
    assert len(parts(records)[0]) == 150 * 0.4 / EPOCHS, "the search loses nothing"
    last = records[-1]
    again = replace(last, number=None, name=f"{last.name} repeated", identity="again", recipe={"epochs": 1})
    problem.store.add(problem.study, again, None)
    records = list(search.state.records())
    assert spending.kept_back(records) == step
    assert search.state.is_over(), "continuing the study trains nothing more"
    assert replace(spending, repeats=0).is_spent(records), "whatever is asked for then"


def test_a_part_of_the_time_is_kept_back_too(problem: Problem) -> None:
    search = BudgetedSearch(problem, Budget(seconds=60.0), rate=0.02, repeats=1)  # 3 s a trial
    assert [len(part) for part in parts(search.run())] == [8, 11]
    assert search.state.spending.plan_text(()).endswith("60% for the finalists and for 1 repeated training")


def test_a_small_budget_is_searched_whatever_is_to_be_repeated(problem: Problem) -> None:
    records = BudgetedSearch(problem, Budget(epochs=15), rate=0.02, repeats=3).run()
    assert len(records) == 15 * 0.4 / EPOCHS


def test_copied_trials_of_another_study_are_trained_further_too(problem: Problem) -> None:
    trials = [problem.record(number, dict.fromkeys(problem.plan.parameters, share)) for number, share in
              enumerate((0.25, 0.5, 1.0))]  # fmt: skip
    rows = [replace(named_with_study(each, "same"), number=None, seconds={"training": 3.0}) for each in trials]
    step = FinalistChooser("map50_95", (9.0, 0.0)).next_step(rows, 5)
    assert step is not None and step.record in rows
    assert step.params == step.record.params
    controls = [replace(row, name=f"control {row.spec}") for row in rows]
    assert FinalistChooser("map50_95", (9.0, 0.0)).next_step(controls, 5) is None
