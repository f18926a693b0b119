"""Small records for the store's tests: real types, figures made up from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import TypeVar

from objectives.base import Curves, Direction, EpochResult, Evaluation, Measurement
from search.record.trial import Outcome, TrialRecord
from search.store.base import Attempt, Store, StudyEntry, WorkerId
from spaces.base import PARENT, ArchSpec, Origin, ParamValue

Result = TypeVar("Result")

OBJECTIVES = (("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE))
DIRECTIONS = tuple(direction for _, direction in OBJECTIVES)
REFERENCE_POINT = (0.0, 50.0)
ME = WorkerId("this host", 4711, 1_700_000_000.25)
OTHER = WorkerId("this host", 4712, 1_700_000_001.75)
GROUPS, WIDTHS = ("model.0", "model.1.cv1", "model.22"), (16, 9, 24)
BEGAN = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
CURVES = Curves((0.0, 0.1, 1 / 3, 1.0), (0.2, 0.3, 0.1 + 0.2, 1.0), (1.0, 2 / 3, 0.5, 0.0), (0.1, 0.2, 0.3, 0.0))


def spec_of(chance: random.Random) -> ArchSpec:
    """A random spec of the same small parent."""
    kept = tuple(tuple(sorted(chance.sample(range(width), chance.randint(1, width)))) for width in WIDTHS)
    return ArchSpec("n-10", GROUPS, WIDTHS, kept)


def accuracy_of(map50_95: float, split: str = "val", curves: Curves | None = None) -> Evaluation:
    """An evaluation with that mAP."""
    return Evaluation(
        split=split, images=12, map50_95=map50_95, map50=0.7, precision=0.6, recall=0.5, f1=0.55, confidence=0.5,
        iou=0.5, best_f1=0.6, best_f1_confidence=0.31, precision_at_best_f1=0.58, recall_at_best_f1=0.62,
        ap_per_class=(0.1, 1 / 3), curves=curves,
    )  # fmt: skip


def record_of(number: int | None, map50_95: float = 0.4, latency_ms: float = 10.0, **changes: object) -> TrialRecord:
    """A complete record with every field filled; `changes` replace fields."""
    chance = random.Random(number)
    spec = spec_of(chance)
    record = TrialRecord(
        number=number,
        name=f"trial {number}",
        outcome=Outcome.COMPLETE,
        reason="",
        params={"backbone": "one-shot", "ratio.1": 0.625, "levels": 3, "distill": True},
        spec=spec,
        origin=Origin((PARENT, "f" * 64, PARENT)),
        identity=f"identity of {number}",
        recipe={"epochs": 3, "lr0": 0.002, "optimizer": "SGD", "cos_lr": False},
        seed=7,
        measurements=(
            Measurement("parameters", 3_011_238.0),
            Measurement("latency_ms", latency_ms, "ms", 9.0, 11.5, 64, 0.37, "cpu-fp32", False),
        ),
        evaluations=(accuracy_of(map50_95, "val", CURVES), accuracy_of(0.2, "night")),
        rungs=(EpochResult(0, 0.1, 0.2, 3.5, 0.0), EpochResult(1, 0.2, 0.3, 2.5, 1.25)),
        constraints={"latency_ms": -2.5},
        checkpoint="a" * 64,
        lineage=None,
        seconds={"build": 0.1, "training": 20.5},
        started=BEGAN,
        finished=BEGAN + timedelta(seconds=21),
    )
    return replace(record, **changes)  # type: ignore[arg-type]  # field names, as replace() checks


def reference_of(name: str, map50_95: float = 0.5, latency_ms: float = 20.0, **changes: object) -> TrialRecord:
    """A reference row."""
    return record_of(None, map50_95, latency_ms, **{"name": name, "identity": f"identity of {name}", **changes})


def new_study(store: Store, name: str = "nas_head") -> StudyEntry:
    """A study that is ready for records."""
    study = store.add_study(name, {"space": {"type": "graft", "low": 0.5}}, OBJECTIVES)
    return store.freeze(study, {"reference_point": list(REFERENCE_POINT)})


def begin(store: Store, study: StudyEntry, number: int, worker: WorkerId = ME, limit: int = 1000) -> Attempt:
    """An attempt that runs trial `number`."""
    attempt = store.reserve(study, worker, limit)
    assert attempt is not None
    params: dict[str, ParamValue] = {"ratio": 0.5, "number": number}
    return store.assign(attempt, number, params)


def add_trial(store: Store, study: StudyEntry, record: TrialRecord) -> None:
    """Run a trial from reserving to adding."""
    assert record.number is not None
    store.add(study, record, begin(store, study, record.number))


def as_processes(work: Callable[..., Result], *arguments: object, count: int, within_s: float = 60.0) -> list[Result]:
    """Call `work(index, *arguments)` in `count` processes at the same time."""
    with forked(count) as pool:
        started = [pool.submit(work, index, *arguments) for index in range(count)]
        return [future.result(timeout=within_s) for future in started]


@contextmanager
def forked(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes forked from this one, so that they need not import everything again."""
    with ProcessPoolExecutor(count, mp_context=get_context("fork")) as pool:
        yield pool
