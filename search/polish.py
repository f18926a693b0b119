"""Train the front's members for longer and score them again: `python -m search.polish --study nas_head --epochs 100`.

Trials are trained as briefly as still ranks them; what is shipped deserves more. Each polished network becomes a row of
the study beside the trial that it goes on from, so the front takes it up if it is better. What is polished already is
left alone; killed, the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from search.cli.command import Exit, add_study_options, run_command, run_folder
from search.cli.durations import readable
from search.cli.stored_study import existing_store, find_study
from search.findings.selection import by_name
from search.record.folders import RunFolder
from search.record.front import non_dominated
from search.record.trial import POLISHED, Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.study.faults import DefinitionError
from search.trial.events import Doing, Event, Note
from search.work.progress import summary

LONGER = 4
"""Times a trial's own epochs, where nothing else is asked for."""


def main(arguments: list[str]) -> int:
    """The command line."""
    options = _parser().parse_args(arguments)
    with existing_store(options) as store:
        study = find_study(store, options.study)
        members = chosen(store, study, options.records)
        polish(store, study, run_folder(options), members, epochs=options.epochs, device=options.device, say=print)
    return Exit.DONE


def chosen(store: Store, study: StudyEntry, names: str | None = None) -> tuple[TrialRecord, ...]:
    """The records of these names (`trial 3,one-shot`); the front's trials by default.

    Raises:
        DefinitionError: If no trial is on the front, or one that is named has no weights or no recipe.
    """
    records = store.records(study)
    if names is None:
        found = _front_before(study, records)
        if not found:
            raise DefinitionError(f"no trial of study '{study.sampler_name}' is on its front; there is none to polish")
        return found
    wanted = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    found = tuple(by_name(records, name, "--records") for name in wanted)
    for record in found:
        if record.is_polished or not record.recipe:
            raise DefinitionError(f"{record.name} cannot be polished: name a trial or a donor")
    return found


def _front_before(study: StudyEntry, records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Trials on the front as it was before anything was polished: half way through they are still the same."""
    rivals = [r for r in records if r.outcome is Outcome.COMPLETE and r.feasible and not r.is_polished]
    values = [[record.value(name) for name, _ in study.objectives] for record in rivals]
    known = [(record, row) for record, row in zip(rivals, values, strict=True) if None not in row]
    kept = non_dominated([row for _, row in known], [direction for _, direction in study.objectives])  # type: ignore[misc]
    return tuple(known[place][0] for place in kept if not known[place][0].is_reference)


def polish(
    store: Store,
    study: StudyEntry,
    folder: RunFolder,
    members: Sequence[TrialRecord],
    *,
    epochs: int | None = None,
    device: str = "cpu",
    say: Callable[[str], None] = lambda line: None,
) -> tuple[TrialRecord, ...]:
    """Go on training these records' networks, and store each as a row of the study.

    Args:
        epochs: Of each; `LONGER` times those of its own recipe by default.

    Returns:
        The new rows; those of members that were polished before are not among them.

    Raises:
        DefinitionError: If the study's definition, data or target is not that of this machine any more.
        CandidateError: If one of them diverges or runs out of memory.
        CheckpointError: If its weights are gone or damaged.
    """
    if epochs is not None and epochs < 1:
        raise DefinitionError(f"--epochs is {epochs}; it must be at least 1")
    from search.finish.polishing import Polisher  # imports torch: only once it is clear what to do

    done = []
    with (
        store.exclusive(f"polish {study.id}"),
        tempfile.TemporaryDirectory(prefix="polish-") as scratch,
        Polisher.opened(store, study, folder, device, Path(scratch), _lines(say)) as polisher,
    ):
        stored = {record.name for record in store.records(study)}
        for member in members:
            if member.name + POLISHED in stored:
                say(f"{member.name}{POLISHED}: is there already")
                continue
            row = polisher.polished(member, epochs or LONGER * int(member.recipe["epochs"]))
            moved = store.add(study, row, None) is not None
            spent = readable(row.seconds.get("training", 0.0))
            figures = summary(row, tuple(name for name, _ in study.objectives))
            say(f"{figures} ({_gained(member, row)}), {spent} of training{'; the front moved' if moved else ''}")
            done.append(row)
    return tuple(done)


def _gained(member: TrialRecord, row: TrialRecord) -> str:
    before, after = member.value("map50_95"), row.value("map50_95")
    return "" if before is None or after is None else f"{after - before:+.3f}"


def _lines(say: Callable[[str], None]) -> Callable[[Event], None]:
    """Shows of what happens what goes on now, and lines that the user should see."""

    def told(event: Event) -> None:
        if isinstance(event, Doing):
            say(event.what)
        elif isinstance(event, Note):
            say(event.line)

    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.polish", description=__doc__)
    add_study_options(parser)
    add = parser.add_argument
    add("--epochs", type=int, metavar="N", help=f"of each network (default: {LONGER} times its own)")
    add("--records", metavar="NAMES", help="polish these instead of the front's trials: 'trial 3,one-shot'")
    add("--device", default="cpu", help="where training runs: cpu, 0, 1, ... (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
