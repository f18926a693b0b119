"""Records of trials that were not run: their values come from a table or a formula."""

from __future__ import annotations

from collections.abc import Mapping

from objectives.base import EpochResult, Evaluation, Measurement
from search.record.trial import Outcome, TrialRecord
from spaces.base import ParamValue


def made_up_record(
    number: int,
    outcome: Outcome,
    *,
    params: Mapping[str, ParamValue],
    epochs: int,
    latency: Measurement,
    accuracy: float,
    curve: tuple[EpochResult, ...],
) -> TrialRecord:
    """Return the record of a trial.

    Args:
        epochs: Epochs of a whole training.
        accuracy: mAP50-95 on val, which only a complete trial has.
        curve: Results of the epochs that were trained.
    """
    scores = (_evaluation(accuracy),) if outcome is Outcome.COMPLETE else ()
    return TrialRecord(
        number, f"trial {number}", outcome, "", dict(params), None, None, str(number), {"epochs": epochs}, 0,
        (latency,), scores, curve,
    )  # fmt: skip


def _evaluation(accuracy: float) -> Evaluation:
    return Evaluation("val", 1, accuracy, accuracy, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, (accuracy,))
