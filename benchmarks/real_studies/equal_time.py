"""Studies on digits by three methods, compared at equal training time: ours, Optuna's default, pruning by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from benchmarks.real_studies.command_lines import run_command
from search.record.folders import RunFolder
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.store.sql import open_store
from search.study.rows import PARENT_NAME

OUR_STUDIES, OPTUNA_STUDIES, BY_HAND = "ours", "Optuna's default", "by hand, in rounds"
STUDY_METHODS: Mapping[str, Sequence[str]] = {
    OUR_STUDIES: ("-o", "sampler.name=front", "-o", "rungs.rule=front"),
    OPTUNA_STUDIES: ("-o", "sampler.name=optuna", "-o", "rungs.rule=none"),
    BY_HAND: (),
}
"""Arguments of `search.run` by method. Ours runs first: its sampler would learn from the trainings of the others."""
SEARCHED_STUDY = "channel_ratio"
NO_CONTROLS = "controls=[]"
"""Our sampler learns from controls; they are left out, because their training would not be counted."""
MAX_TRIALS = 500
HAND_ROUNDS, ROUND_RATIO = 14, 0.87
"""Rounds of pruning by hand, and the share of channels that a round keeps."""


@dataclass(frozen=True)
class EqualTimeRuns:
    """Runs of all methods, with one project and one parent for each seed.

    Attributes:
        minutes: Limit of a search, which begins when the parent is trained.
        overrides: Changes of every study, `key=value`.
    """

    out: Path
    minutes: int
    overrides: Sequence[str] = ()

    def run(self, method: str, seed: int) -> dict[str, Any]:
        """Run one study to its end; return the cost and the result of each network, in the order they were finished."""
        project = self._project(seed)
        name = method.split(",")[0].replace(" ", "-").replace("'", "")
        self._run_study(SEARCHED_STUDY, seed, "parent", ["--n-trials", "0"])  # trains the parent for all methods
        if method == BY_HAND:
            self._run_study(str(_write_rounds(self.out)), seed, name, ["--n-trials", "0"])
        else:
            limits = ["--n-trials", str(MAX_TRIALS), "--timeout", f"{self.minutes}m"]
            self._run_study(SEARCHED_STUDY, seed, name, [*STUDY_METHODS[method], *limits])
        records, reference = _stored_study(project, name)
        parent = next(record for record in records if record.name == PARENT_NAME)
        steps = [_step(record) for record in records if _counts(record, method)]
        before = _sensitivity_s(project) if method == OUR_STUDIES else 0.0
        return {"parent": _step(parent), "steps": steps, "before": before, "reference": reference}

    def _project(self, seed: int) -> Path:
        return self.out / f"seed-{seed}"

    def _run_study(self, study: str, seed: int, name: str, more: Sequence[str]) -> None:
        overrides = [part for each in (NO_CONTROLS, *self.overrides) for part in ("-o", each)]
        arguments = ["--name", name, "--seed", str(seed), "--no-confirm", *more, *overrides]
        run_command("search.run", study, self._project(seed), arguments)


def _write_rounds(folder: Path) -> Path:
    """Write the study of pruning by hand: each round is cut from the one before and trained by the study's recipe."""
    definition = yaml.safe_load((Path("studies") / f"{SEARCHED_STUDY}.yaml").read_text(encoding="utf-8"))
    names = [PARENT_NAME, *(f"round-{number}" for number in range(1, HAND_ROUNDS + 1))]
    definition["donors"] = [{"name": name, "from": source, "ratio": ROUND_RATIO} for source, name in pairwise(names)]
    definition["controls"] = []
    file = folder / "rounds.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(definition, sort_keys=False), encoding="utf-8")
    return file


def _stored_study(project: Path, name: str) -> tuple[Sequence[TrialRecord], list[float]]:
    """Return the records of a study and the reference point of its hypervolume."""
    store = open_store(RunFolder(project).default_storage)
    try:
        entry = store.latest_study(name)
        if entry is None:
            raise LookupError(f"{project} has no study '{name}'")
        return store.records(entry), entry.frozen["reference_point"]
    finally:
        store.close()


def _sensitivity_s(project: Path) -> float:
    """Return the seconds of our sampler's sensitivity analysis, which count as training."""
    maps = [json.loads(file.read_text(encoding="utf-8")) for file in RunFolder(project).maps.glob("*")]
    return float(sum(each["seconds"] for each in maps))


def _counts(record: TrialRecord, method: str) -> bool:
    """Rounds count for pruning by hand, trials for the searches."""
    return record.name.startswith("round-") if method == BY_HAND else not record.is_reference


def _step(record: TrialRecord) -> list[Any]:
    """Return seconds of training, latency in ms, mAP50-95 (None if it was not trained to its end), and the outcome."""
    accuracy = record.value("map50_95") if record.outcome is Outcome.COMPLETE else None
    return [record.seconds.get("training", 0.0), record.value(LATENCY), accuracy, record.outcome.value]
