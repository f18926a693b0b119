"""Train trials of a study once more, to tell the noise of its training. Imports torch only when it trains."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from search.findings.notes import outcome_line
from search.findings.training_noise import trials_to_repeat
from search.record.events import as_lines
from search.record.folders import RunFolder
from search.record.number_text import duration
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry
from search.study.definition import stored_definition


def repeat_trials(
    store: Store,
    study: StudyEntry,
    folder: RunFolder,
    *,
    count: int = 1,
    device: str = "cpu",
    show_line: Callable[[str], None] = lambda line: None,
) -> tuple[TrialRecord, ...]:
    """Train the most accurate trials once more, from the same start with another seed.

    Each is stored as a row of the study, beside the front and unknown to the sampler.

    Args:
        count: Number of trials of the study that are trained twice in the end; those that already are count too.

    Returns:
        The new rows.

    Raises:
        DefinitionError: If the study's definition, data or target no longer match this machine.
        CandidateError: If a training diverges or runs out of memory.
        CheckpointError: If weights are missing or damaged.
    """
    if not trials_to_repeat(store.records(study), count):
        return ()
    from search.finish.repeater import Repeater  # imports torch, which a finished study need not wait for
    from search.finish.trained_workbench import open_trained_workbench

    say, limits = as_lines(show_line), stored_definition(study.name, study.definition).upper_limits
    done = []
    with (
        store.exclusive(f"repeat {study.id}"),
        tempfile.TemporaryDirectory(prefix="repeat-") as scratch,
        open_trained_workbench(store, study, folder, device, Path(scratch), say) as bench,
    ):
        for trial in trials_to_repeat(store.records(study), count):  # another run may have repeated
            row = Repeater(bench, limits, say).repeat(trial)
            store.add(study, row, None)
            bench.kept.discard([row.name])
            figures = outcome_line(row, tuple(name for name, _ in study.objectives))
            show_line(f"{figures}, {duration(row.seconds.get('training', 0.0))} of training")
            done.append(row)
    return tuple(done)
