"""Real studies on digits, ours against Optuna's default and against pruning by hand, compared at equal training time.

    python -m benchmarks.end_to_end --out runs/end_to_end

Each run is `python -m search.run` in a process of its own, six minutes at most after the parent is trained; one parent
a seed, the same for all ways. Kill it, and the same command goes on. By hand: the parent is cut uniformly and
fine-tuned, the result is cut again, and so on. Ours comes first: it would learn from what the others train.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.setup.markdown import markdown_table
from benchmarks.setup.results import ResultsFile
from search.record.folders import RunFolder
from search.record.latency_text import LATENCY
from search.record.staircase import Staircase
from search.record.trial import Outcome, TrialRecord
from search.store.sql import open_store

SEEDS = 3
MINUTES = 6
"""Pruning by hand comes to the end of its rounds in four minutes of training: nothing later can be compared."""
MOST_TRIALS = 500
ROUNDS, KEPT = 14, 0.87
OURS, DEFAULT, BY_HAND = "ours", "Optuna's default", "by hand, in rounds"
STUDY = "channel_ratio"
NO_CONTROLS = "controls=[]"
"""Our sampler learns from controls: their training would be a gift, as it is not counted."""
WAYS: Mapping[str, Sequence[str]] = {
    OURS: ("-o", "sampler.name=front", "-o", "rungs.rule=front"),
    DEFAULT: ("-o", "sampler.name=optuna", "-o", "rungs.rule=none"),
    BY_HAND: (),
}
PARENT = "parent"
"""A study without trials, which trains the parent; the others find it."""


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, print the table and write all figures."""
    options = _options(arguments)
    results = ResultsFile(options.out / "end_to_end.jsonl")
    found = {
        (way, seed): results.get_or_run(f"{way} | {seed}", lambda way=way, seed=seed: _run(options, way, seed))  # type: ignore[misc]
        for seed in range(options.seeds)
        for way in WAYS
    }
    figures = figures_of(found)
    (options.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(table_text(figures))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for results; found again when run again")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="default: %(default)s")
    parser.add_argument("--minutes", type=int, default=MINUTES, metavar="N", help="of a run (default: %(default)s)")
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="of every study")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, way: str, seed: int) -> dict[str, Any]:
    """One study to its end; what each of its networks cost and reached, in the order they were finished."""
    project = options.out / f"seed-{seed}"
    name = way.split(",")[0].replace(" ", "-").replace("'", "")
    _study(options, seed, PARENT, STUDY, ["--n-trials", "0"])
    if way == BY_HAND:
        _study(options, seed, name, _rounds(options.out), ["--n-trials", "0"])
    else:
        limits = ["--n-trials", str(MOST_TRIALS), "--timeout", f"{options.minutes}m"]
        _study(options, seed, name, STUDY, [*WAYS[way], *limits])
    store = open_store(RunFolder(project).default_storage)
    entry = store.latest_study(name)
    assert entry is not None
    records = store.records(entry)
    store.close()
    parent = next(record for record in records if record.name == "parent")
    steps = [_step(record) for record in records if _counts(record, way)]
    before = _measured_s(project) if way == OURS else 0.0
    return {"parent": _step(parent), "steps": steps, "before": before, "reference": entry.frozen["reference_point"]}


def _study(options: argparse.Namespace, seed: int, name: str, study: str, more: Sequence[str]) -> None:
    project = str(options.out / f"seed-{seed}")
    fixed = ["--study", study, "--name", name, "--project", project, "--seed", str(seed), "--no-confirm"]
    overrides = [part for each in (NO_CONTROLS, *options.override) for part in ("-o", each)]
    subprocess.run([sys.executable, "-m", "search.run", *fixed, *more, *overrides], check=True)


def _measured_s(project: Path) -> float:
    """Seconds that our sampler's map of the parent took: they count as if they were training."""
    return sum(json.loads(file.read_text(encoding="utf-8"))["seconds"] for file in RunFolder(project).maps.glob("*"))


def _rounds(folder: Path) -> str:
    """The study of pruning by hand: each round is cut from the one before, all with the study's own recipe."""
    with (Path("studies") / f"{STUDY}.yaml").open(encoding="utf-8") as file:
        definition = yaml.safe_load(file)
    names = ["parent", *(f"round-{number}" for number in range(1, ROUNDS + 1))]
    definition["donors"] = [{"name": name, "from": source, "ratio": KEPT} for source, name in pairwise(names)]
    definition["controls"] = []
    file = folder / "rounds.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(definition, sort_keys=False), encoding="utf-8")
    return str(file)


def _counts(record: TrialRecord, way: str) -> bool:
    """By hand it is the rounds that count, else the trials."""
    return record.name.startswith("round-") if way == BY_HAND else not record.is_reference


def _step(record: TrialRecord) -> list[Any]:
    """Seconds of training, latency in ms, mAP50-95 (None where it was not trained to its end), how it ended."""
    accuracy = record.value("map50_95") if record.outcome is Outcome.COMPLETE else None
    return [record.seconds.get("training", 0.0), record.value(LATENCY), accuracy, record.outcome.value]


def figures_of(found: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    """By way: hypervolume at equal training time, and the seconds to what Optuna's default reached in the end."""
    figures: dict[str, Any] = {way: {"volume": [], "seconds": [], "trials": [], "curves": []} for way in WAYS}
    for seed in sorted({seed for _, seed in found}):
        grown = {way: _grown(found[way, seed]) for way in WAYS}
        budget = min(curve[-1][0] for curve in grown.values())
        bar = grown[DEFAULT][-1][1]
        for way, curve in grown.items():
            within = [volume for seconds, volume in curve if seconds <= budget]
            reached = next((seconds for seconds, volume in curve if volume >= bar), None)
            figures[way]["volume"].append(within[-1])
            figures[way]["seconds"].append(reached)
            figures[way]["trials"].append(len(found[way, seed]["steps"]))
            figures[way]["curves"].append(curve)
    return figures


def _grown(run: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Seconds of training, and of measuring beforehand, and the hypervolume then, of log latency.

    The parent is there from the start.
    """
    worst_accuracy, worst_ms = run["reference"]
    latency, accuracy = [run["parent"][1]], [run["parent"][2]]

    def volume() -> float:
        best = Staircase.of(np.log(latency), np.array(accuracy), float(np.log(worst_ms)), worst_accuracy)
        return best.hypervolume

    grown, spent = [(0.0, volume())], float(run["before"])
    for seconds, ms, reached, _ in run["steps"]:
        spent += seconds
        if ms is not None and reached is not None:
            latency.append(ms)
            accuracy.append(reached)
        grown.append((spent, volume()))
    return grown


def table_text(figures: Mapping[str, Any]) -> str:
    """As Markdown, a line a way."""
    head = ["way", "trials", "hypervolume at equal training time", "training seconds to the default's last front"]
    return markdown_table(head, [[way, *_cells(each)] for way, each in figures.items()])


def _cells(found: Mapping[str, Any]) -> list[str]:
    seconds = ["never" if each is None else f"{each:.0f}" for each in found["seconds"]]
    trials = ", ".join(str(each) for each in found["trials"])
    return [trials, ", ".join(f"{each:.4f}" for each in found["volume"]), ", ".join(seconds)]


if __name__ == "__main__":
    main()
