"""Select the records that are polished, and train their networks further. Imports torch only when it trains."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from search.findings.notes import outcome_line
from search.findings.selection import by_name
from search.record.events import as_lines
from search.record.folders import RunFolder
from search.record.front import non_dominated
from search.record.number_text import duration
from search.record.trial import POLISHED, Outcome, TrialRecord, trained_accuracy
from search.record.words import NOW_ON_FRONT
from search.store.base import Store, StudyEntry
from search.study.definition import stored_definition
from search.study.faults import DefinitionError

EPOCHS_FACTOR = 4
"""Multiple of a trial's own epochs that its network is polished for by default."""


def select_for_polishing(store: Store, study: StudyEntry, names: str | None = None) -> tuple[TrialRecord, ...]:
    """Return the records with these names (`trial 3,one-shot`), by default the front's trials.

    Raises:
        DefinitionError: If no trial is on the front, or a named record has no weights or no recipe.
    """
    records = store.records(study)
    if names is None:
        found = _front_before_polishing(study, records)
        if not found:
            raise DefinitionError(f"no trial of study '{study.sampler_name}' is on its front; there is none to polish")
        return found
    wanted = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    found = tuple(by_name(records, name, "--records") for name in wanted)
    for record in found:
        if record.is_polished or record.is_repeated or not record.recipe:
            raise DefinitionError(f"{record.name} cannot be polished: name a trial or a donor")
    return found


def _front_before_polishing(study: StudyEntry, records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Return the trials on the front without the polished rows, so that an interrupted run selects the same again."""
    complete = [r for r in records if r.outcome is Outcome.COMPLETE and r.feasible]
    rivals = [record for record in complete if not (record.is_polished or record.is_repeated)]
    values = [[record.value(name) for name, _ in study.objectives] for record in rivals]
    known = [(record, row) for record, row in zip(rivals, values, strict=True) if None not in row]
    kept = non_dominated([row for _, row in known], [direction for _, direction in study.objectives])  # type: ignore[misc]
    return tuple(known[place][0] for place in kept if not known[place][0].is_beside_trials)


def polish(
    store: Store,
    study: StudyEntry,
    folder: RunFolder,
    members: Sequence[TrialRecord],
    *,
    epochs: int | None = None,
    device: str = "cpu",
    show_line: Callable[[str], None] = lambda line: None,
) -> tuple[TrialRecord, ...]:
    """Train these records' networks further, and store each as a row of the study.

    Args:
        epochs: Epochs for each network; `EPOCHS_FACTOR` times those of its own recipe by default.

    Returns:
        The new rows, without those of members that were polished before.

    Raises:
        DefinitionError: If the study's definition, data or target no longer match this machine.
        CandidateError: If a network diverges or runs out of memory.
        CheckpointError: If weights are missing or damaged.
    """
    if epochs is not None and epochs < 1:
        raise DefinitionError(f"--epochs is {epochs}; it must be at least 1")
    from search.finish.polisher import Polisher  # imports torch, which wrong options need not wait for
    from search.finish.trained_workbench import open_trained_workbench

    say, limits = as_lines(show_line), stored_definition(study.name, study.definition).upper_limits
    done = []
    with (
        store.exclusive(f"polish {study.id}"),
        tempfile.TemporaryDirectory(prefix="polish-") as scratch,
        open_trained_workbench(store, study, folder, device, Path(scratch), say) as bench,
    ):
        polisher = Polisher(bench, limits, say)
        stored = {record.name for record in store.records(study)}
        for member in members:
            if member.name + POLISHED in stored:
                show_line(f"{member.name}{POLISHED}: already stored")
                continue
            row = polisher.polish(member, epochs or EPOCHS_FACTOR * int(member.recipe["epochs"]))
            moved = store.add(study, row, None) is not None
            bench.kept.discard([row.name])
            spent = duration(row.seconds.get("training", 0.0))
            figures = outcome_line(row, tuple(name for name, _ in study.objectives))
            show_line(
                f"{figures} ({_gain_text(member, row)}), {spent} of training{f'; {NOW_ON_FRONT}' if moved else ''}"
            )
            done.append(row)
    return tuple(done)


def _gain_text(member: TrialRecord, row: TrialRecord) -> str:
    accuracy = trained_accuracy([member]).name
    before, after = member.value(accuracy), row.value(accuracy)
    return "" if before is None or after is None else f"{after - before:+.3f}"
