"""The page of the studies on a cluster, made from the stored figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.setup.markdown import markdown_table, wrap_markdown

CLUSTER_TITLE = """# Studies on a cluster

```
python -m benchmarks.cluster.run --out runs/cluster --page docs/results/cluster.md
```
"""
CLUSTER_METHOD = """A Slurm with one node, eight pretended cores and four pretended GPUs runs on this machine, and a
PostgreSQL. The trainings are real and small (yolov5n, 64 px, 32 images, on the CPU). Jobs are preempted by an urgent
job that takes the whole node. A time limit is what Slurm sends before one, SIGUSR2 to the script: real limits are whole
minutes, and the notice comes two minutes before. A job that was queued up again may start after two seconds; by itself
Slurm waits two minutes. The same command continues what is missing; to measure something again, delete its line in
`cluster.jsonl`."""


def cluster_blocks(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the generated blocks of the page: a table for each kind of figure that was measured."""
    blocks = [CLUSTER_TITLE.strip(), wrap_markdown(CLUSTER_METHOD)]
    if jobs := {key: each for key, each in found.items() if key.startswith("jobs")}:
        blocks.append("## A study whose jobs are disturbed\n\n" + _jobs(jobs))
        blocks += [_disturbances(each) for each in jobs.values() if each["tried"]]
    if herds := {key: each for key, each in found.items() if key.startswith("herd")}:
        blocks.append("## Workers that start at once on an empty PostgreSQL\n\n" + _herds(herds))
    if rates := {key: each for key, each in found.items() if key.startswith("rate")}:
        blocks.append("## Trials a second, without any training\n\n" + _rates(rates))
    return blocks


def _jobs(jobs: Mapping[str, Mapping[str, Any]]) -> str:
    head = ["study", "jobs", "trials", "disturbances", "lost", "twice", "stuck", "failed", "report", "minutes"]
    rows = [
        [
            key.removeprefix("jobs | "),
            " ".join(f"{count} {state.lower()}" for state, count in each["jobs"].items()),
            f"{each['trials']} of {each['asked']}",
            str(sum(count for kind, count in each["tried"].items() if kind != "jobs preempted")),
            str(each["lost"]),
            str(each["twice"]),
            str(len(each["stuck"])),
            str(len(each["failed"])),
            "written" if each["report"] else "missing",
            f"{each['seconds'] / 60:.1f}",
        ]
        for key, each in jobs.items()
    ]
    return markdown_table(head, rows)


def _disturbances(each: Mapping[str, Any]) -> str:
    head = ["disturbance", "times"]
    rows = [[kind, str(count)] for kind, count in sorted(each["tried"].items())]
    return markdown_table(head, [*rows, ["jobs begun again by Slurm", str(each["restarts"])]])


def _herds(herds: Mapping[str, Mapping[str, Any]]) -> str:
    head = ["workers", "errors", "joined, median, s", "last, s", "most connections"]
    rows = [
        [
            str(each["workers"]),
            str(each["errors"]),
            f"{each['median_s']:.1f}",
            f"{each['last_s']:.1f}",
            str(each["connections"]),
        ]
        for each in herds.values()
    ]
    return markdown_table(head, rows)


def _rates(rates: Mapping[str, Mapping[str, Any]]) -> str:
    databases = list(dict.fromkeys(key.split(" | ")[1] for key in rates))
    counts = list(dict.fromkeys(each["workers"] for each in rates.values()))
    rows = [
        [str(count), *(f"{rates[f'rate | {name} | {count}']['per_s']:.1f}" for name in databases)] for count in counts
    ]
    return markdown_table(["workers", *databases], rows)
