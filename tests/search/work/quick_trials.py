"""Trials of a few milliseconds on a synthetic problem: for tests of everything around a trial."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from objectives.base import Direction, EpochResult, Evaluation, Measurement
from search.record.begun import Begun
from search.record.trial import TrialRecord
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler, sampler_seed
from search.sampler.tables.first_worker import sampler_tables
from search.store.base import StudyEntry
from search.store.outage.patience import Patience
from search.store.sql import open_store
from search.trial.runner import Hooks, TrialRunner
from search.work.worker import Worker
from spaces.base import ArchSpec, Categorical, Float, Origin, Parameter, ParamValue

OBJECTIVES = (("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE))
PARAMETERS: dict[str, Parameter] = {"backbone": Categorical(("one", "two")), "ratio": Float(0.1, 1.0)}

SPEC = ArchSpec(parent="a parent", groups=("group",), widths=(4,), kept=((0, 1),))


@dataclass(frozen=True)
class QuickTrials(TrialRunner):
    """Latency is the ratio, accuracy grows with it and depends on the backbone; three epochs of `epoch_s`.

    Attributes:
        grid: Round the ratio to this many digits: a coarse grid makes duplicates.
    """

    epoch_s: float = 0.01
    grid: int = 9

    def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> TrialRecord:
        ratio = round(float(params["ratio"]), self.grid)
        begun = self._begin(number, params, ratio, hooks.clock())
        earlier = hooks.claim_identity(begun.identity)
        if earlier is not None:
            return self._finished(begun.duplicate(earlier))
        accuracy = ratio**0.5 * (0.9 if params["backbone"] == "one" else 0.8)
        curve = tuple(
            EpochResult(epoch, accuracy * epoch / 3, accuracy, 1 / epoch, self.epoch_s) for epoch in (1, 2, 3)
        )
        for result in curve:
            time.sleep(self.epoch_s)
            hooks.report(result)
        if number % 7 == 3:
            return self._finished(begun.failed("loss is nan", curve))
        complete = begun.complete(checkpoint="none", evaluations=[_score(accuracy)], curve=curve)
        return self._finished(complete)

    def give_up(self, number: int, params: Mapping[str, ParamValue], reason: str, now: datetime) -> TrialRecord:
        return self._finished(self._begin(number, params, float(params["ratio"]), now).failed(reason))

    def _begin(self, number: int, params: Mapping[str, ParamValue], ratio: float, now: datetime) -> Begun:
        return Begun(
            number=number,
            name=f"trial {number}",
            params=dict(params),
            spec=SPEC,
            origin=Origin(("parent",)),
            identity=hashlib.sha256(f"{params['backbone']} {ratio}".encode()).hexdigest()[:32],
            recipe={"epochs": 3},
            seed=0,
            measurements=(Measurement("latency_ms", 10 * ratio, "ms", low=9.9 * ratio, high=10.1 * ratio, runs=5),),
            constraints={"latency_ms": 10 * ratio - 9.0},
            started=now,
        )

    def _finished(self, record: TrialRecord) -> TrialRecord:
        return replace(record, finished=datetime.now(UTC), seconds={"training": 3 * self.epoch_s})


def _score(accuracy: float) -> Evaluation:
    return Evaluation("val", 10, accuracy, accuracy, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.4, 0.6, 0.6)


def begin_study(url: str) -> StudyEntry:
    """A study in that database, with its reference point frozen."""
    store = open_store(url)
    study = store.add_study("quick", {"what": "a synthetic problem"}, OBJECTIVES)
    study = store.freeze(study, {"reference_point": [0.0, 11.0]})
    store.close()
    return study


def optuna_study_of(url: str, study: StudyEntry, seed: int, patience: Patience | None = None) -> OptunaStudy:
    """Optuna's side of the study."""
    sampler = make_sampler("random", seed)
    return OptunaStudy(url, study.sampler_name, study.objectives, PARAMETERS, sampler, patience)


def work(
    url: str,
    n_trials: int,
    seed: int,
    acknowledged: Path | None = None,
    trials: TrialRunner | None = None,
    patience: Patience | None = None,
) -> str:
    """One worker's life; every record that the store acknowledged is noted in a file as well."""
    store = open_store(url, patience)
    study = store.latest_study("quick")
    assert study is not None
    with sampler_tables(store, study, seed):
        optuna = optuna_study_of(url, study, sampler_seed(seed, 0, len(store.records(study))), patience)

    def note(event: object) -> None:
        number = getattr(getattr(event, "record", None), "number", None)
        if acknowledged is not None and number is not None:
            with acknowledged.open("a") as file:
                file.write(f"{number}\n")
                file.flush()
                os.fsync(file.fileno())

    worker = Worker(store, study, optuna, trials or QuickTrials(), n_trials=n_trials, deadline=None, say=note)
    worker.reconcile()
    worker.settle()
    why = worker.work()
    store.close()
    return why
