"""The batch size of `--batch auto`: measured on the study's parent, the largest network that its trials train."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from objectives.training.batch_size import measured_batch
from search.prepare.inputs import StudyInputs, complete_recipe
from search.study.definition import StudyDefinition


def measure_batch(
    definition: StudyDefinition,
    inputs: StudyInputs,
    device: str,
    scratch: Path,
    *,
    workers: int = 1,
    say: Callable[[str], None],
) -> int:
    """Return the batch size for the study's trials; with a searched image size, for the largest images.

    Args:
        scratch: Folder for temporary files; it is removed.
        workers: Number of processes that train on the device at the same time.
        say: Receives a line about each size that is tried.

    Raises:
        CandidateError: If the parent cannot be trained.
    """
    recipe = complete_recipe(definition.recipe.longest(), inputs)
    candidate = replace(inputs.parent.parent.as_candidate(), imgsz=recipe.imgsz)
    try:
        return measured_batch(candidate, recipe, inputs.data, device=device, scratch=scratch, workers=workers, say=say)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
