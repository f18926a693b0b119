"""Promises of every stopping rule. A test of a rule subclasses this and provides it."""

from __future__ import annotations

import ast
import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import pytest

from objectives.base import EpochResult, Evaluation, Measurement
from search.record.trial import Outcome, TrialRecord
from search.trial.stopping import RunningTrial, StoppingRule
from tests.search.trial.test_learning_curves import EPOCHS, best, curves

SOURCES_OF_CHANGE = ("time", "datetime", "random", "sqlalchemy", "optuna", "search.store")


def record(number: int | None, latency_ms: float, rungs: Sequence[EpochResult], accuracy: float | None) -> TrialRecord:
    """A record that was stopped after its last rung, or complete if it has an accuracy."""
    scored = () if accuracy is None else (_evaluation(accuracy),)
    return TrialRecord(
        number=number,
        name="parent" if number is None else f"trial {number}",
        outcome=Outcome.STOPPED if accuracy is None else Outcome.COMPLETE,
        reason="",
        params={},
        spec=None,
        origin=None,
        identity=str(number),
        recipe={"epochs": EPOCHS},
        seed=0,
        measurements=(Measurement("latency_ms", latency_ms, "ms"),),
        evaluations=scored,
        rungs=tuple(rungs),
    )


def _evaluation(accuracy: float) -> Evaluation:
    return Evaluation("val", 10, accuracy, accuracy, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.4, 0.6, 0.6)


def complete_trials(count: int, seed: int) -> list[TrialRecord]:
    return [record(n, each.latency_ms, each.epochs, best(each)) for n, each in enumerate(curves(count, seed))]


def running(trial: TrialRecord, scored: int) -> RunningTrial:
    """A complete trial as it was after some of its epochs."""
    return RunningTrial(trial.value("latency_ms") or 0.0, trial.rungs[:scored], EPOCHS)


class RuleContract(ABC):
    """Promises of `StoppingRule`, as tests.

    Attributes:
        stops_some: Whether it stops any trial at all.
    """

    stops_some = True

    @pytest.fixture
    @abstractmethod
    def rule(self) -> StoppingRule:
        """The rule under test."""

    @pytest.fixture(scope="class")
    @classmethod
    def known(cls) -> list[TrialRecord]:
        return complete_trials(40, seed=0)

    def test_nothing_is_stopped_in_its_last_epoch(self, rule: StoppingRule, known: list[TrialRecord]) -> None:
        hopeless = [EpochResult(epoch, 0.0, 0.0, 9.0, 1.0) for epoch in range(1, EPOCHS + 1)]
        assert rule.reason_to_stop(RunningTrial(4.0, hopeless, EPOCHS), known) == ""
        assert rule.reason_to_stop(RunningTrial(4.0, hopeless[:1], 1), known) == ""

    def test_nothing_is_stopped_before_it_is_scored(self, rule: StoppingRule, known: list[TrialRecord]) -> None:
        assert rule.reason_to_stop(RunningTrial(4.0, (), EPOCHS), known) == ""

    def test_nothing_is_stopped_while_nothing_is_known(self, rule: StoppingRule) -> None:
        for trial in complete_trials(20, seed=1):
            assert [rule.reason_to_stop(running(trial, scored), ()) for scored in range(1, EPOCHS)] == [""] * 5

    def test_what_is_stopped_has_a_reason_that_names_the_epoch(
        self, rule: StoppingRule, known: list[TrialRecord]
    ) -> None:
        trials = [running(trial, scored) for trial in complete_trials(60, seed=1) for scored in range(1, EPOCHS)]
        reasons = {trial.epoch: reason for trial in trials if (reason := rule.reason_to_stop(trial, known))}
        assert bool(reasons) is self.stops_some
        assert all(reason.startswith(f"stopped at epoch {epoch}: ") for epoch, reason in reasons.items())

    def test_equal_questions_have_equal_answers_at_any_time(
        self, rule: StoppingRule, known: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_clock() -> NoReturn:
            raise AssertionError("a rule asks no clock")

        trials = [running(trial, 3) for trial in complete_trials(20, seed=1)]
        before = [replace(each) for each in known]
        first = [rule.reason_to_stop(trial, known) for trial in trials]
        for name in ("time", "monotonic", "perf_counter"):
            monkeypatch.setattr(time, name, no_clock)
        assert [rule.reason_to_stop(trial, known) for trial in trials] == first
        assert known == before

    def test_its_module_imports_neither_a_clock_nor_a_database(self, rule: StoppingRule) -> None:
        tree = ast.parse(inspect.getsource(inspect.getmodule(type(rule)) or type(rule)))
        imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert [name for name in imported if name.startswith(SOURCES_OF_CHANGE)] == []

    def test_a_rule_that_compares_no_trials_needs_no_records(
        self, rule: StoppingRule, known: list[TrialRecord]
    ) -> None:
        trials = [running(trial, 3) for trial in complete_trials(20, seed=1)]
        if not rule.compares_trials:
            assert [rule.reason_to_stop(trial, known) for trial in trials] == [""] * len(trials)
