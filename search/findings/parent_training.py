"""Signs in a study's records that its parent is not trained to its end, and the remarks below its table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from objectives.base import EpochResult
from search.findings.leaderboard import gain, parent_of
from search.findings.training_noise import ASSUMED_NOISE, training_noise
from search.record.number_text import score
from search.record.trial import Outcome, TrialRecord, trained_accuracy
from spaces.base import SCRATCH

LAST_PART = 0.2
"""Share of the parent's epochs, the last ones, over which its accuracy must no longer grow."""
MAX_CLIMB = 0.005
"""Maximum growth of accuracy over the last part of a training that has come to its end."""
LONGER = 2
"""Multiple of the parent's epochs that is proposed."""


def training_remarks(records: Sequence[TrialRecord], copied_from: str | None = None) -> tuple[str, ...]:
    """Return the lines below a study's table: the noise of training, and a warning about the parent.

    Args:
        copied_from: Study whose networks were copied for a second target.
    """
    noise = training_noise(records)
    warning = parent_warning(records, copied_from)
    return tuple(line for line in ("" if noise is None else noise.text(), warning) if line)


def parent_warning(records: Sequence[TrialRecord], copied_from: str | None = None) -> str:
    """Return why the parent seems not to be trained to its end, and what trains it longer; empty if nothing shows it.

    Either a network made from it has a better accuracy by more than the noise, or its own learning curve still climbs.
    A parent that was given trained has no curve.

    Args:
        copied_from: See `training_remarks`.
    """
    parent = parent_of(records)
    reasons = [] if parent is None else [*_is_beaten(parent, records), *_still_climbs(parent)]
    if parent is None or not reasons:
        return ""
    return f"warning: the parent is not trained to its end: {'; '.join(reasons)}; {_remedy(parent, copied_from)}"


def climb(curve: Sequence[EpochResult]) -> tuple[float, int]:
    """Return the growth of accuracy over the last part of a training by a fitted line, and that part's epochs."""
    scored = [each for each in curve if each.epoch > 0]
    if len(scored) < 2:
        return 0.0, 0
    end = scored[-1].epoch
    begin = min(math.floor(end - LAST_PART * end + 1e-9), scored[-2].epoch)
    last = [each for each in scored if each.epoch >= begin]
    epochs = end - last[0].epoch
    slope = np.polynomial.Polynomial.fit([each.epoch for each in last], [each.map50_95 for each in last], 1)
    return float(slope(end) - slope(last[0].epoch)), epochs


def _is_beaten(parent: TrialRecord, records: Sequence[TrialRecord]) -> Iterator[str]:
    noise, accuracy = training_noise(records), trained_accuracy(records)
    made = [each for each in records if _is_made_from(each, parent)]
    gains = [(more, each.name) for each in made if (more := gain(each, parent, accuracy=accuracy.name))]
    more, name = max(gains, default=(0.0, ""))
    if more > (ASSUMED_NOISE if noise is None else noise.least_meaningful):
        yield f"{name}, made from it, has {score(more)} more {accuracy.title}"


def _is_made_from(record: TrialRecord, parent: TrialRecord) -> bool:
    """Return whether a complete record is of a network that has weights of the parent, directly or through others."""
    if record is parent or record.is_repeated or record.outcome is not Outcome.COMPLETE:
        return False
    if record.spec is None or parent.spec is None or record.origin is None:
        return False
    return record.spec.parent == parent.spec.parent and SCRATCH not in record.origin.sources


def _still_climbs(parent: TrialRecord) -> Iterator[str]:
    grown, epochs = climb(parent.rungs)
    if grown > MAX_CLIMB:
        over = "its last epoch" if epochs == 1 else f"the last {epochs} of its {parent.epochs} epochs"
        yield f"the parent's own {trained_accuracy([parent]).title} still grew by {score(grown)} over {over}"


def _remedy(parent: TrialRecord, copied_from: str | None) -> str:
    if not parent.epochs:
        return "it was given trained: train it longer before the search"
    longer = f"-o parent.recipe.epochs={LONGER * parent.epochs} --new"
    if copied_from is not None:  # the parent is a copy: nothing that is set here would train it
        return f"train it longer in study {copied_from}: {longer}; then --retarget again"
    return f"train it longer: {longer}"
