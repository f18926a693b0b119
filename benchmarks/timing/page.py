"""The results page of the benchmark of latency, written from its figures."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.setup.markdown import page_text, read_notes, wrap_markdown
from benchmarks.timing.baselines import PRUNING_RUNS, ULTRALYTICS_DEFAULT_RUNS, ULTRALYTICS_DEFAULT_S
from benchmarks.timing.tables import (
    LatencyFigures,
    contention_table,
    coverage_table,
    goal_table,
    goals,
    order_table,
    prediction_table,
    spread_table,
)

LATENCY_COMMANDS = """```sh
python -m benchmarks.latency --out runs/latency
python -m benchmarks.latency_page --out runs/latency --page docs/results/latency.md
```"""


def write_latency_page(file: Path, page: Path) -> None:
    """Write the page from a file of figures; the notes at its end are kept."""
    figures = json.loads(file.read_text(encoding="utf-8"))
    page.write_text(latency_page_text(figures, read_notes(page)), encoding="utf-8")


def latency_page_text(figures: LatencyFigures, notes: str) -> str:
    """Return the whole page."""
    parts = figures["parts"]
    blocks = [_head(figures), goal_table(figures), _missed_goals(figures)]
    if "spread" in parts:
        blocks += ["## Spread", _spread_text(figures), spread_table(parts["spread"])]
    if "order" in parts:
        blocks += ["## Order", _order_text(parts["order"]), order_table(parts["order"])]
    if "coverage" in parts:
        blocks += ["## Coverage", _coverage_text(parts["coverage"]), coverage_table(parts["coverage"])]
    if "cost" in parts:
        blocks += ["## Cost", _cost_text(parts["cost"])]
    if "prediction" in parts:
        blocks += ["## Prediction", _prediction_text(figures), prediction_table(parts["prediction"])]
    if "foreign" in parts:
        blocks += ["## Contention", _contention_text(), contention_table(parts["foreign"])]
    return page_text(blocks, notes)


def _head(figures: LatencyFigures) -> str:
    machine, target = figures["machine"], figures["target"]
    virtual = {True: "a virtual machine", False: "no virtual machine", None: "virtual or not: unknown"}
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    quick = "**A quick run: it has too few repeats to mean anything.**\n\n" if figures["quick"] else ""
    minutes = ", ".join(f"{part} {spent:.1f}" for part, spent in figures["minutes"].items())
    gpu = f"; {machine['gpu']}" if machine["gpu"] else ""
    text = wrap_markdown(f"""
        {quick}The second command wrote this page from the figures of the first one; only the notes at its end are
        written by hand.

        {machine["cpu"]}{gpu}, {machine["memory_gib"]} GiB, {virtual[machine["hypervisor"]]}; {machine["system"]};
        {versions}. Load at the start: {machine["load_at_start"]}. Target: {target}. Minutes: {minutes}.

        All methods measure the same networks in the same run, in turn. The load is the benchmark's own: trainings of a
        small network in torch, one thread each, that do not take our lock; "one core busy" is one training, "all cores
        busy" is one for each core. How to read a figure: [measuring](../measuring.md).""")
    return f"# Latency: how far a figure can be trusted\n\n{LATENCY_COMMANDS}\n\n{text}"


def _missed_goals(figures: LatencyFigures) -> str:
    missed = [each for each in goals(figures) if each.met is False]
    absent = [each.figure for each in goals(figures) if each.met is None]
    lines = [f"- Missed: {each.figure}: {each.measured}; the goal is {each.goal}." for each in missed]
    lines += [f"- Not measured yet: {figure}." for figure in absent]
    if not lines:
        return "All goals are met."
    return "\n".join(lines) + ("\n\nThe notes give the reasons, and the remedies that were tried." if missed else "")


def _spread_text(figures: LatencyFigures) -> str:
    part, size = figures["parts"]["spread"], figures["size"]
    names, all_names = " and ".join(part["networks"]), len(part["all_networks"])
    return wrap_markdown(f"""
        {size["repeats"]} repeats of every method in each condition, for {names}: yolov8n cut to half of its widths,
        and the next network of its ladder (see Order). The coefficient of variation is the root mean square over the
        two networks. Every repeat has new timing processes. "All networks" are {all_names}, with fewer repeats. Ours
        is a ratio from {part["runs"]:.0f} runs in {part["loadings"]:.1f} loadings; it takes {part["cpu_s"]:.2f} CPU-s.
        The baselines:

        - The median of 50, after 5 to warm up; p90 of 64, the minimum that MLPerf's single stream allows; the mean of
        3 s after 0.2 s to warm up, trtexec's defaults. All three run onnxruntime with one thread and otherwise its
        defaults.

        - Ultralytics' own `ProfileModels.profile_onnx_model`, called with the file: 8 threads, 30 runs to warm up,
        2-sigma clipping. Its minimum time is {size["ultralytics_s"]} s instead of {ULTRALYTICS_DEFAULT_S} s, its
        minimum runs {size["ultralytics_runs"]} instead of {ULTRALYTICS_DEFAULT_RUNS}; it would take an hour here
        otherwise.

        - torch-pruning's `utils.benchmark.measure_latency`: mean of runs in torch eager. It times with CUDA events and
        raises an error without a GPU; so its loop is repeated with `time.perf_counter`, {size["pruning_runs"]} runs
        instead of {PRUNING_RUNS}, with a sixth as many to warm up.

        The last line is work of other processes on the machine: it shows how idle "idle" was.""")


def _order_text(part: LatencyFigures) -> str:
    ratios = ", ".join(f"{pair['ratio']:.3f}" for pair in part["pairs"])
    races = part["races"]
    return wrap_markdown(f"""
        Two ladders of networks, of yolov8n and yolo11n. Each begins with half of all widths; each further network
        widens random groups by steps of 8 channels until it is 5 % slower. That ratio was measured before, by another
        method and without load: both files are loaded eight times in one process and run in turn, ten runs in a row,
        and the ratio must be within 1.05 ± 0.01 in two measurements. In the second one the ratios were {ratios}.

        A decision is wrong if the slower network has the smaller figure. The first column compares figures of one
        round, where the two networks were measured at most minutes apart and under the same load. The second column
        draws 200 pairs at random from all rounds and conditions, because a study compares a trial of this hour with one
        of the last. Methods that take seconds decide fewer pairs; all counts are scaled to 200. `search.confirm` races
        the networks of a ladder: {races["cpu_s"]:.1f} CPU-s each; {races["ties"]} of its {races["decisions"]} decisions
        are shown as ties.""")


def _coverage_text(part: LatencyFigures) -> str:
    return wrap_markdown(f"""
        The simulated clock runs the protocol itself (`objectives.timing.protocol`) with networks that only move the
        clock, so the true ratio is known; ratios are from 0.3 to 2. Of 200 pairs 5 % apart it puts
        {part["simulated_wrong_orders"]} in the wrong order. The real measurements are ours of the tables above: the
        long-run value of a network is the median of all its other measurements, in any condition.""")


def _cost_text(part: LatencyFigures) -> str:
    lines = [f"- {side} px: {', '.join(f'{value:.2f}' for value in values)}" for side, values in part.items()]
    head = "CPU seconds per candidate, irregular cuts of yolov8n: export, loading and timing, in both processes."
    return head + "\n\n" + "\n".join(lines)


def _prediction_text(figures: LatencyFigures) -> str:
    size = figures["size"]
    return wrap_markdown(f"""
        All models are fitted to {size["fitted"]} irregular cuts of yolov8n, which our model chose from 400 before
        anything was measured, and tested on {size["tested"]} others. In an irregular cut every group keeps its own
        share of channels; in every second network all widths are multiples of 8; a fourth of the networks leave out
        bottlenecks. Each is measured once by the search's protocol, so the errors include the spread of single
        measurements.""")


def _contention_text() -> str:
    return wrap_markdown("""
        Each network is measured alone and then beside three trainings that do not take our lock, several times. The
        difference of two single measurements contains the spread of both.""")
