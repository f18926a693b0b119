"""Writes the results page of the benchmark of latency from its JSON, so that no figure is typed by hand.

    python -m benchmarks.latency_page --out runs/latency --page docs/results/latency.md

What stands on the page below "Notes" is written by people and stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing.tables import asked_and_reached, coverage, foreign, order, prediction, rows, spread

NOTES = "## Notes"
DEFAULTS_TAKEN = {"ultralytics_s": "60 s", "ultralytics_runs": "100", "pruning_runs": "300"}

Figures = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the figures, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="as it was given to benchmarks.latency")
    parser.add_argument("--quick", action="store_true", help="the figures of a quick run")
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file")
    options = parser.parse_args(arguments)
    file = options.out / ("quick" if options.quick else "full") / options.provider / "figures.json"
    before = options.page.read_text(encoding="utf-8") if options.page.exists() else ""
    options.page.write_text(page(json.loads(file.read_text(encoding="utf-8")), notes_of(before)), encoding="utf-8")


def notes_of(text: str) -> str:
    """What people wrote below "Notes" on a page."""
    return text.partition(NOTES + "\n")[2].strip()


def page(figures: Figures, notes: str) -> str:
    """The whole page."""
    parts = figures["parts"]
    blocks = [_head(figures), asked_and_reached(figures), _missed(figures)]
    if "spread" in parts:
        blocks += ["## Spread", _spread_words(figures), spread(parts["spread"])]
    if "order" in parts:
        blocks += ["## Order", _order_words(parts["order"]), order(parts["order"])]
    if "coverage" in parts:
        blocks += ["## Coverage", _coverage_words(parts["coverage"]), coverage(parts["coverage"])]
    if "cost" in parts:
        blocks += ["## Cost", _cost_words(parts["cost"])]
    if "prediction" in parts:
        blocks += ["## Prediction", _prediction_words(figures), prediction(parts["prediction"])]
    if "foreign" in parts:
        blocks += ["## Beside foreign trainings", _foreign_words(), foreign(parts["foreign"])]
    return "\n\n".join([*blocks, NOTES, notes or "None yet."]) + "\n"


def _head(figures: Figures) -> str:
    machine, target = figures["machine"], figures["target"]
    virtual = {True: "a virtual machine", False: "no virtual machine", None: "virtual or not: unknown"}
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    quick = "**A quick run: too few repeats to mean anything.**\n\n" if figures["quick"] else ""
    minutes = ", ".join(f"{part} {spent:.1f}" for part, spent in figures["minutes"].items())
    gpu = f"; {machine['gpu']}" if machine["gpu"] else ""
    return f"""# Latency: how far a figure can be trusted

```sh
python -m benchmarks.latency --out runs/latency
python -m benchmarks.latency_page --out runs/latency --page docs/results/latency.md
```

{quick}The second command wrote this page from the first one's figures; only the notes at its end are by hand.

{machine["cpu"]}{gpu}, {machine["memory_gib"]} GiB, {virtual[machine["hypervisor"]]}; {machine["system"]}; {versions}.
Load when it began: {machine["load_at_start"]}. Target: {target}. Minutes: {minutes}.

All ways to measure are taken in the same run, in turn, on the same networks. Load is the benchmark's own: trainings of
a small network in torch, one thread each, that do not take our lock; one of them, or as many as there are cores.
How to read a figure: [measuring](../measuring.md)."""


def _missed(figures: Figures) -> str:
    missed = [row for row in rows(figures) if row.met is False]
    absent = [row.figure for row in rows(figures) if row.met is None]
    lines = [f"- Missed: {row.figure}: {row.reached} where {row.must} was asked." for row in missed]
    lines += [f"- Not measured yet: {figure}." for figure in absent]
    if not lines:
        return "Everything that was asked for was reached."
    return "\n".join(lines) + ("\n\nWhy, and what was tried: see the notes." if missed else "")


def _spread_words(figures: Figures) -> str:
    part, size = figures["parts"]["spread"], figures["size"]
    return f"""{size["repeats"]} repeats of every way in each condition, for {" and ".join(part["networks"])}:
yolov8n cut to half of its widths, and the next rung (see Order). Root mean square of the two coefficients of variation.
Every repeat has new timing processes. "All networks" are {len(part["all_networks"])}, with fewer repeats. Ours is a
ratio from {part["runs"]:.0f} runs in {part["loadings"]:.1f} loadings, {part["cpu_s"]:.2f} CPU-s. The peers:

- median of 50, after 5 to warm up; p90 of 64, the least that MLPerf's single stream allows; the mean of 3 s after
  0.2 s, trtexec's defaults: in onnxruntime, one thread, otherwise its defaults.
- Ultralytics' own `ProfileModels.profile_onnx_model`, called with the file: 8 threads, 30 runs to warm up, 2-sigma
  clipping. Its least time is {size["ultralytics_s"]} s instead of {DEFAULTS_TAKEN["ultralytics_s"]}, its least runs
  {size["ultralytics_runs"]} instead of {DEFAULTS_TAKEN["ultralytics_runs"]}: else it would take an hour here.
- torch-pruning's `utils.benchmark.measure_latency`: mean of runs in torch eager. It times with CUDA events and so
  raises without a GPU; its loop is repeated with `time.perf_counter`, {size["pruning_runs"]} runs instead of
  {DEFAULTS_TAKEN["pruning_runs"]}, with a sixth as many to warm up.

The last line is work on the machine that was not the benchmark's: "idle" is as idle as it says there."""


def _order_words(part: Figures) -> str:
    ratios = ", ".join(f"{pair['ratio']:.3f}" for pair in part["pairs"])
    races = part["races"]
    return f"""Two ladders of networks, yolov8n and yolo11n. Each begins with half of all widths; each rung widens
groups, drawn at random, by steps of 8 channels until it is 5 % slower. How much slower was measured first and apart,
while no load was on: both files loaded eight times anew in one process and run in turn, ten runs in a row; within
1.05 ± 0.01 twice. The second time it was {ratios}.

A decision is wrong if the slower one has the smaller figure. The first column compares figures of one round, where the
two were measured minutes apart at most and under the same load; the second draws 200 pairs at random from all rounds
and conditions, as a study compares a trial of this hour with one of the last. Ways that take seconds decide fewer
pairs; all are scaled to 200. `search.confirm` races the networks of a ladder: {races["cpu_s"]:.1f} CPU-s each; of its
{races["decisions"]} decisions {races["ties"]} are shown as ties."""


def _coverage_words(part: Figures) -> str:
    wrong = part["scripted_wrong_orders"]
    return f"""The scripted clock runs the protocol itself (`objectives.timing.protocol`), with networks that only
move the clock, so that the true ratio is known; ratios from 0.3 to 2. Of 200 pairs 5 % apart it puts {wrong} in the
wrong order.
The real measurements are ours of the tables above: the long-run value of a network is the median of all its other
measurements, whatever the condition."""


def _cost_words(part: Figures) -> str:
    lines = [f"- {side} px: {', '.join(f'{value:.2f}' for value in values)}" for side, values in part.items()]
    return (
        "CPU seconds of one candidate, irregular cuts of yolov8n: export, loading and timing, both processes.\n\n"
        + ("\n".join(lines))
    )


def _prediction_words(figures: Figures) -> str:
    size = figures["size"]
    return f"""{size["informed"]} irregular cuts of yolov8n, chosen by the model from 400 before any is measured, are
what all models are fitted on; {size["tested"]} others judge them. Every group keeps a share of its own; every second
network is aligned to 8 channels, the others to nothing; a fourth leave out bottlenecks. Each is measured once by the
search's protocol, so that the errors hold its spread too."""


def _foreign_words() -> str:
    return """Each network measured alone and then while three trainings run that do not take our lock, again and again.
The difference of two single measurements holds the spread of both."""


if __name__ == "__main__":
    main()
