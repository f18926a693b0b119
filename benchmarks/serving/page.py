"""The page of the service's costs, made from their figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.setup.markdown import markdown_table, wrap_markdown

TITLE = """# Cost of the service around the trainings

```
python -m benchmarks.service --out runs/service --page docs/results/service.md
```
"""
METHOD = """Trials, suggestions and pages cost time even if nothing is trained. All figures are CPU-seconds of the
process, on SQLite; a study has {parameters} parameters, and its trials are made up. "Joining" is what a worker does
with its database before its first suggestion. A page of the dashboard asks for its study every two seconds; the
request is timed while nothing is new."""


def service_blocks(found: Mapping[str, Any]) -> list[str]:
    """Return the generated blocks of the page: the tables, each with its heading."""
    trial = found["trial"]
    each = [f"{1000 * trial['cpu_s']:.0f}", f"{trial['commits']:.1f}", f"{trial['statements']:.0f}"]
    workers, polls = found["workers"], found["polls"]
    names = list(next(iter(workers.values())))
    kinds = list(next(iter(polls.values())))
    return [
        TITLE.strip(),
        wrap_markdown(METHOD.format(parameters=found["parameters"])),
        "## A trial, and a worker\n\n"
        + markdown_table(["a trial without training", "CPU, ms", "commits", "statements"], [["each", *each]]),
        markdown_table(
            ["CPU-seconds", *(f"{int(count):,} records" for count in workers)],
            [[name, *(f"{workers[count][name]:.2f}" for count in workers)] for name in names],
        ),
        "## The dashboard, and starting\n\n"
        + markdown_table(
            ["one request, CPU-seconds", *(f"{int(count):,} trials" for count in polls)],
            [[kind, *(f"{polls[count][kind]:.3f}" for count in polls)] for kind in kinds],
        ),
        markdown_table(
            ["`--help`", "CPU-seconds", "MiB"],
            [[f"`{name}`", f"{cost['cpu_s']:.2f}", f"{cost['mib']:.0f}"] for name, cost in found["starts"].items()],
        ),
    ]
