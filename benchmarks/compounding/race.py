"""The race: the networks of all arms timed in turn with each other, as a study of their own in `race.db`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from benchmarks.compounding.arm_records import storage_of
from benchmarks.compounding.arms import FINAL_ROWS
from benchmarks.real_studies.command_lines import run_command
from search.cli.stored_study import existing_store, find_study
from search.record.confirmation import Confirmation
from search.record.trial import TrialRecord
from search.study.rows import PARENT_NAME

RACE = "race"


class RaceRuns(Protocol):
    """The run folder of a race, and the way to begin a study around its parent."""

    @property
    def folder(self) -> Path:
        """Run folder of all arms."""

    def run_around_parent(self, name: str) -> None:
        """Begin a study that has the parent alone."""


def race_name(arm: str, record: TrialRecord) -> str:
    """Return the name of an arm's network in the race: `H1`, `S3/trial 7`."""
    return arm if arm in FINAL_ROWS else f"{arm}/{record.name}"


def read_race(folder: Path) -> tuple[Mapping[str, str], Confirmation | None]:
    """Return the checkpoints of the networks in the race by name, and their times; empty if there is no race."""
    if not (folder / f"{RACE}.db").exists():
        return {}, None
    with existing_store(storage_of(folder, RACE)) as store:
        study = store.latest_study(RACE)
        if study is None:
            return {}, None
        networks = {record.name: record.checkpoint or "" for record in store.records(study)}
        return networks, next(reversed(store.confirmations(study)), None)


def race_networks(runs: RaceRuns, networks: Mapping[str, Sequence[TrialRecord]]) -> None:
    """Time networks in turn with each other and the parent, unless exactly these were timed before.

    Args:
        networks: Networks by arm.
    """
    wanted = {race_name(arm, record): record for arm, records in networks.items() for record in records}
    checkpoints = {name: record.checkpoint for name, record in wanted.items()}
    stored, times = read_race(runs.folder)
    stored = {name: key for name, key in stored.items() if name != PARENT_NAME}
    if stored == checkpoints and times is not None:
        return
    if not stored.items() <= checkpoints.items():  # a network was made again: the race has nothing that cost training
        for file in runs.folder.glob(f"{RACE}.db*"):
            file.unlink()
        stored = {}
    runs.run_around_parent(RACE)
    _store(runs.folder, {name: record for name, record in wanted.items() if name not in stored})
    names = ",".join((PARENT_NAME, *wanted))
    run_command("search.confirm", RACE, runs.folder, ["--storage", storage_of(runs.folder, RACE), "--records", names])


def _store(folder: Path, records: Mapping[str, TrialRecord]) -> None:
    """Store networks as rows of the race."""
    with existing_store(storage_of(folder, RACE)) as store:
        study = find_study(store, RACE)
        for name, record in records.items():
            store.add(study, replace(record, number=None, name=name), None)
