"""A trial that has begun ends in one of five ways, each with its own record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from objectives.base import EpochResult, Evaluation, Measurement
from search.record.begun import Begun
from search.record.trial import Outcome, TrialRecord
from spaces.base import ArchSpec, Origin

SPEC = ArchSpec(parent="p", groups=("g",), widths=(4,), kept=((0, 1),))
FAST = Measurement("latency_ms", 2.0, unit="ms")
CURVE = [EpochResult(epoch=1, map50_95=0.1, map50=0.2, loss=3.0, seconds=1.0)]
SCORED = Evaluation(
    split="val",
    images=10,
    map50_95=0.3,
    map50=0.5,
    precision=0.6,
    recall=0.4,
    f1=0.48,
    confidence=0.25,
    iou=0.5,
    best_f1=0.5,
    best_f1_confidence=0.2,
    precision_at_best_f1=0.6,
    recall_at_best_f1=0.5,
)


@pytest.fixture
def begun() -> Begun:
    plain = Begun(
        number=3,
        name="trial 3",
        params={"ratio.g": 0.5},
        spec=SPEC,
        origin=Origin(("parent",)),
        recipe={"epochs": 1},
        identity="abc",
        seed=7,
        started=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return plain.with_measurements([FAST], {"latency_ms": -1.0})


def test_a_limit_that_is_missed_is_not_feasible(begun: Begun) -> None:
    assert begun.feasible
    assert not begun.with_measurements([FAST], {"latency_ms": 0.5}).feasible


def test_a_value_is_none_until_it_is_measured(begun: Begun) -> None:
    assert begun.value("latency_ms") == 2.0
    assert begun.value("flops_g") is None


def test_complete_keeps_what_was_measured_before_and_after_the_training(begun: Begun) -> None:
    record = begun.complete(checkpoint="c0ffee", evaluations=[SCORED], curve=CURVE)
    assert record == TrialRecord(
        number=3,
        name="trial 3",
        outcome=Outcome.COMPLETE,
        reason="",
        params={"ratio.g": 0.5},
        spec=SPEC,
        origin=Origin(("parent",)),
        identity="abc",
        recipe={"epochs": 1},
        seed=7,
        measurements=(FAST,),
        evaluations=(SCORED,),
        rungs=tuple(CURVE),
        constraints={"latency_ms": -1.0},
        checkpoint="c0ffee",
        started=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_every_other_end_has_a_reason_and_no_checkpoint(begun: Begun) -> None:
    ends = {
        Outcome.STOPPED: begun.stopped("below the front", CURVE),
        Outcome.RULED_OUT: begun.ruled_out("too slow"),
        Outcome.FAILED: begun.failed("loss is nan", CURVE),
        Outcome.DUPLICATE: begun.duplicate("trial 1"),
    }
    assert [record.outcome for record in ends.values()] == list(ends)
    assert [record.reason for record in ends.values()] == [
        "below the front", "too slow", "loss is nan", "duplicate of trial 1"
    ]  # fmt: skip
    assert all(record.checkpoint is None and not record.evaluations for record in ends.values())
    assert [len(record.rungs) for record in ends.values()] == [1, 0, 1, 0]
    assert all(record.measurements == (FAST,) for record in ends.values())
