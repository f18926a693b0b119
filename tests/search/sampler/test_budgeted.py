"""A study with a budget: bands of latency, each with trials and a finalist that is trained further."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import pytest

from objectives.base import Measurement
from search.findings.training_effort import effort_text, training_effort
from search.record.continuation import params_key
from search.record.staircase import Staircase
from search.record.trial import TrialRecord
from search.sampler.budgeted import LEAST_STEP, BudgetedSampler, BudgetState
from search.sampler.finalists import SAMPLES, FinalistChooser
from search.sampler.optuna_study import OptunaStudy, distribution_of
from search.sampler.registry import make_sampler
from search.store.base import WorkerId
from search.store.sql import open_store
from search.study.budget import Budget
from search.trial import bands
from search.trial.bands import Bands, Division, Turn, divided
from search.trial.spending import Spending
from spaces.base import ParamValue
from spaces.networks.parent import Parent
from tests.search.sampler.problem import Problem
from tests.search.work.quick_trials import OBJECTIVES, _score

EPOCHS = 3
PARENT_MS = 10.0  # so that all bands hold networks of the problem, which take 2 to 8 ms
BANDS = Bands(PARENT_MS)
STEPS = Division(1, (9, 9, 9, 9, 9, 9))
CHOOSER = FinalistChooser("map50_95", (9.0, 0.0), BANDS, 1.5)


@pytest.fixture(autouse=True, scope="module")
def short_bands() -> Iterator[None]:
    """Bands as short as twenty trials, so that a small budget has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "BAND_TRIALS", 20)
        yield


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
    sampler: str = "front"

    def __post_init__(self) -> None:
        problem = self.problem
        spending = Spending(self.budget, frozenset(), EPOCHS, self.repeats)
        self.state = BudgetState(problem.store, problem.study, spending, CHOOSER)
        predictions = replace(problem.predictions(), measure_latency=problem.latency_ms)
        inner = make_sampler(self.sampler, 0, (), predictions)
        distributions = {name: distribution_of(each) for name, each in problem.plan.parameters.items()}
        sampler = BudgetedSampler(inner, self.state, distributions, predictions)
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
            epochs = self.state.finalist_epochs(record.value("latency_ms") or 0)
            record = replace(record, lineage=before[-1].name, ancestors=before[-1].line, recipe={"epochs": epochs})
        gained = self.rate * math.log(record.line_epochs / EPOCHS)
        return replace(record, evaluations=(_score(self.problem.accuracy(params) * 0.9 + gained),))


@pytest.fixture(scope="module")
def finished(short_bands: None, parent: Parent) -> Iterator[BudgetedSearch]:
    """A search that has ended. Tests only read it."""
    with closing(open_store("sqlite://")) as store:
        problem = Problem(parent, store)
        problem.measure(dict.fromkeys(problem.plan.parameters, 1.0))
        search = BudgetedSearch(problem, Budget(epochs=180), rate=0.02)
        search.run()
        yield search


def parts(records: Sequence[TrialRecord]) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """Return the trials of the search, and those that train a network further."""
    return [each for each in records if not each.lineage], [each for each in records if each.lineage]


def front_of(records: Sequence[TrialRecord]) -> list[float]:
    """Return the latencies in ms of the front's members, ascending."""
    latency, accuracy = np.array([(each.value("latency_ms"), each.value("map50_95")) for each in records], float).T
    return list(Staircase.of(latency, accuracy, 9.0, 0.0).latency)


def test_each_band_is_searched_and_then_has_one_finalist(finished: BudgetedSearch) -> None:
    records = finished.state.records()
    division = finished.state.spending.division(records)
    assert (division.trials, division.finalist_epochs, division.gaps) == (2, (45, 45, 45), 9)
    assert [bool(each.lineage) for each in records] == [False, False, True] * 3 + [False] * 9
    assert 180 - 10 <= sum(each.epochs for each in records) <= 180


def test_trials_and_finalists_keep_to_the_bands_from_slow_to_fast(finished: BudgetedSearch) -> None:
    records = finished.state.records()
    for number, record in enumerate(records[3:9]):  # latency is predicted once a few networks are measured
        fastest, slowest = BANDS.of(1 + number // 3)
        slack = 1.1 if not record.lineage else 1.03  # the latency of a trial is predicted, a finalist's is known
        assert fastest / slack < (record.value("latency_ms") or 0) <= slowest * slack, record.name


def test_after_the_bands_trials_make_the_front_denser(finished: BudgetedSearch) -> None:
    records = list(finished.state.records())
    before, after = front_of(records[:9]), front_of(records)
    assert len(after) >= len(before) + 4
    assert after[0] < 0.8 * before[0], "it reaches further"


def test_a_finalist_is_the_most_accurate_network_of_its_band(finished: BudgetedSearch) -> None:
    records = list(finished.state.records())
    step = CHOOSER.best_of_band(records[:5], 1, 45)
    assert step is not None
    assert step.record.name == records[5].lineage
    inside = [each for each in records[3:5] if BANDS.of(1)[0] < (each.value("latency_ms") or 0) <= BANDS.of(1)[1]]
    most = max(each.value("map50_95") or 0 for each in inside)
    assert (step.record.value("map50_95") or 0) >= most - 0.02, "training for long makes them more alike"


def test_bands_end_where_no_network_would_be_of_use(problem: Problem) -> None:
    search = BudgetedSearch(problem, Budget(epochs=400), rate=0.02)
    chooser = replace(CHOOSER, worst=(9.0, 0.67))
    search.state.chooser = chooser
    records = search.run()
    useless = next(band for band in range(6) if chooser.is_too_narrow(records, band, 20))
    assert 1 <= useless < 5
    fastest, _ = BANDS.of(useless)
    faster = {each.spec.key for each in records if each.spec and (each.value("latency_ms") or 0) < fastest}
    assert len(faster) <= 2 * SAMPLES, "hardly more are tried than tell it"
    _, continued = parts(records)
    networks = [each.spec.key for each in continued if each.spec]
    assert len(networks) > len(set(networks)), "the rest of the budget trains finalists further"
    least = LEAST_STEP * min(search.state.spending.division(records).finalist_epochs)
    assert 400 - least <= sum(each.epochs for each in records) <= 400, "the last step is as long as what is left"


def test_the_study_ends_when_no_step_is_worth_its_training(finished: BudgetedSearch) -> None:
    records = list(finished.state.records())
    for count in range(100):
        step = CHOOSER.next_step(records, STEPS, 99)
        if step is None:
            break
        before = step.record  # training further brings nothing
        records.append(
            replace(before, name=f"step {count}", lineage=before.name, ancestors=before.line, checkpoint=f"s{count}")
        )
    assert 1 < count < 60, "it is tried before it is known"


def test_a_network_that_trains_now_is_not_given_to_another_worker(finished: BudgetedSearch) -> None:
    records = finished.state.records()
    chooser = CHOOSER
    first = chooser.next_step(records, STEPS, 99)
    assert first is not None
    second = chooser.next_step(records, STEPS, 99, {params_key(first.params)})
    assert second is not None and second.params != first.params


def test_a_worker_waits_while_the_one_network_that_is_worth_it_is_trained(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending = Spending(Budget(epochs=400), frozenset(), EPOCHS)
    state = BudgetState(problem.store, problem.study, spending, CHOOSER)
    params = dict.fromkeys(problem.plan.parameters, 0.5)
    problem.store.add(problem.study, replace(problem.record(0, params), checkpoint="0"), None)
    monkeypatch.setattr(BudgetState, "turn", lambda *_: Turn(None, is_finalist=True))
    assert not state.is_over()
    attempt = problem.store.reserve(problem.study, WorkerId("here", 1, 0.0), 9)
    assert attempt is not None
    attempt = problem.store.assign(attempt, 1, params)
    assert state.is_over(), "for now"
    problem.store.release(attempt)


def test_the_gaps_that_cuts_of_a_finalist_will_fill_wait_for_its_training(problem: Problem) -> None:
    state = BudgetState(problem.store, problem.study, Spending(Budget(epochs=60), frozenset(), EPOCHS), CHOOSER)
    for number, ratio in enumerate((0.75, 0.5, 0.25)):
        params = dict.fromkeys(problem.plan.parameters, ratio)
        problem.measure(params)
        record = replace(problem.record(number, params), checkpoint=f"{number}")
        problem.store.add(problem.study, replace(record, evaluations=(_score(0.5 + 0.1 * ratio),)), None)
    assert state.turn([{}]) == Turn(None, is_finalist=False), "after the trials of the band and its finalist"
    slowest, finalist, _ = state.records()
    faster, slower = state.band([{}]), state.band([finalist.params])
    ms = finalist.value("latency_ms") or 0.0
    assert faster is not None and faster[1] < ms
    assert slower is None or slower[0] > ms
    attempt = problem.store.reserve(problem.study, WorkerId("here", 1, 0.0), 9)
    assert attempt is not None
    attempt = problem.store.assign(attempt, 3, slowest.params)
    assert state.is_over(), "for now: the slowest network is trained, and all gaps are faster"
    problem.store.release(attempt)


def test_a_control_fills_no_gap_of_the_search(finished: BudgetedSearch) -> None:
    records = finished.state.records()
    fastest = min(records, key=lambda each: each.value("latency_ms") or math.inf)
    ms = (fastest.value("latency_ms") or 0.0) / 2
    row = replace(fastest, number=None, name="control", measurements=(Measurement("latency_ms", ms, "ms"),))
    chooser = replace(CHOOSER, fastest_ms=ms / 2, donors=frozenset({"by hand"}))
    control, donor = (chooser.gap([*records, replace(row, name=name)], [], EPOCHS) for name in ("control", "by hand"))
    assert control == chooser.gap(records, [], EPOCHS) and control is not None
    assert donor != control, "a donor is a part of the search"


def test_a_limit_on_latency_keeps_slower_networks_from_being_finalists(finished: BudgetedSearch) -> None:
    records = finished.state.records()
    latencies = sorted(each.value("latency_ms") or 0 for each in records)
    limit = latencies[len(latencies) // 2]
    step = replace(CHOOSER, bands=Bands(PARENT_MS, limit)).next_step(records, STEPS, 99)
    assert step is not None
    assert (step.record.value("latency_ms") or 0) <= limit


def test_the_division_is_said_before_and_after(finished: BudgetedSearch) -> None:
    spending, records = finished.state.spending, finished.state.records()
    assert spending.plan_text(records) == (
        "budget of 180 epochs: 0 for the donors, then 3 bands of latency from slow to fast, each with 2 trials "
        "of 3 epochs and a finalist of 45; 9 trials of 3 epochs in gaps of the front"
    )
    _, continued = parts(records)
    epochs = sum(each.epochs for each in continued)
    whole = sum(each.epochs for each in records)
    assert f"{whole} epochs trained in" in effort_text(training_effort(records))
    assert f"{epochs} of them to train finalists further" in effort_text(training_effort(records))


def test_time_is_a_budget_too(problem: Problem) -> None:
    search = BudgetedSearch(problem, Budget(seconds=60.0), rate=0.02)  # 3 s a trial
    records = search.run()
    assert len(records) == 20
    said = search.state.spending.plan_text(records)
    assert said.startswith("budget of 0.0167 h of work: 0.0 s for the donors, then about 5 bands")


def test_a_budget_of_time_is_converted_by_the_seconds_of_an_epoch(problem: Problem) -> None:
    parent = replace(problem.record(0, dict.fromkeys(problem.plan.parameters, 1.0)), number=None, name="parent")
    rows = [replace(parent, recipe={"epochs": 20}, seconds={"training": 40.0})]
    spending = Spending(Budget(seconds=1000.0), frozenset(), EPOCHS)
    assert spending.division(rows) == divided(400, EPOCHS, most=6)  # a fifth of the time is no training


def test_a_part_is_kept_back_to_repeat_a_training(problem: Problem) -> None:
    search = BudgetedSearch(problem, Budget(epochs=180), rate=0.02, repeats=1)
    records = search.run()
    spending = search.state.spending
    division = spending.division(records)
    step = EPOCHS
    said = "a finalist of 44; 9 trials of 3 epochs in gaps of the front; 1 repeated training"
    assert spending.plan_text(records).endswith(said)
    assert spending.spent(records) <= division.epochs(EPOCHS) <= 180 - step
    last = records[-1]
    again = replace(last, number=None, name=f"{last.name} repeated", identity="again", recipe={"epochs": 1})
    problem.store.add(problem.study, again, None)
    records = list(search.state.records())
    assert spending.kept_back(records) >= step
    assert search.state.is_over(), "continuing the study trains nothing more"
    kept = spending.kept_back(records)
    assert replace(spending, repeats=0).kept_back(records) == kept, "whatever is asked for then"


def test_a_part_of_the_time_is_kept_back_too(problem: Problem) -> None:
    search = BudgetedSearch(problem, Budget(seconds=60.0), rate=0.02, repeats=1)  # 3 s a trial
    assert len(search.run()) == 19
    assert search.state.spending.plan_text(()).endswith("; 1 repeated training")


def test_a_small_budget_is_searched_whatever_is_to_be_repeated(problem: Problem) -> None:
    records = BudgetedSearch(problem, Budget(epochs=15), rate=0.02, repeats=3).run()
    assert sum(each.epochs for each in records) >= 15 / 2
