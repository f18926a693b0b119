"""Scores the channels of a trained network; scores that need gradients are stored in the run folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from objectives.training.gradients import gradients
from search.trial.workbench import Workbench
from spaces.base import Candidate
from spaces.durable import write_text
from spaces.foreign.plain_json import read_json_file
from spaces.networks.checkpoint import content_hash
from spaces.ranking.criteria import Criterion
from spaces.ranking.importance import Scores, scores

GRADIENT_BATCHES, GRADIENT_BATCH = 8, 8
"""Number of batches, and images in each, that gradients for the `taylor` criterion are averaged over."""


def score_channels(bench: Workbench, criterion: Criterion, candidate: Candidate) -> Scores:
    """Return the importance of each channel that a trained network keeps, by a criterion.

    `taylor` needs gradients on training images. Its scores are measured once for each network, data and image size, by
    one worker, and found again in the run folder.
    """
    if criterion != "taylor":
        seed = bench.training.seed
        return scores(candidate, bench.parent, criterion, after_sparsity=True, seed=seed)
    facts = [content_hash(candidate), bench.training.data.key, candidate.imgsz, GRADIENT_BATCHES, GRADIENT_BATCH]
    name = f"taylor-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}"
    with bench.store.exclusive(name):
        return _load_or_measure(bench.maps / f"{name}.json", candidate, lambda: _taylor(bench, candidate))


def _taylor(bench: Workbench, candidate: Candidate) -> Scores:
    slopes = gradients(
        candidate,
        bench.training.data,
        imgsz=candidate.imgsz,
        batches=GRADIENT_BATCHES,
        batch=GRADIENT_BATCH,
        device=bench.training.device,
    )
    return scores(candidate, bench.parent, "taylor", gradients=slopes)


def _load_or_measure(file: Path, candidate: Candidate, measure: Callable[[], Scores]) -> Scores:
    known = _read_scores(file)
    kept = dict(zip(candidate.spec.groups, candidate.spec.kept, strict=True))
    if known is not None and all(tuple(sorted(known.get(name, ()))) == channels for name, channels in kept.items()):
        return known
    measured = measure()
    write_text(file, json.dumps({name: dict(of) for name, of in measured.items()}) + "\n")
    return measured


def _read_scores(file: Path) -> dict[str, Mapping[int, float]] | None:
    """Return stored scores; None if there are none, or they cannot be read."""
    try:
        plain = read_json_file(file)
        return {name: {int(channel): float(value) for channel, value in of.items()} for name, of in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
