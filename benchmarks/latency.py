"""Latency: how far our figures can be trusted, beside those that others report.

    python -m benchmarks.latency --out runs/latency
    python -m benchmarks.latency_page --out runs/latency --page docs/results/latency.md

It starts its own load, measures everything in turn on the same machine, prints the tables, and writes `figures.json`.
Kill it at any moment: the same command goes on. Run it on a machine that does nothing else; what others do there
meanwhile is told. Minutes at full size, about, on two cores: order and spread 28, coverage 0.3, cost 0.5, foreign 2,
prediction 4.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing.beside import costs, differences, foreign
from benchmarks.timing.machine import machine
from benchmarks.timing.peers import PEERS
from benchmarks.timing.prediction import predictions
from benchmarks.timing.rounds import (
    CONDITIONS,
    OURS,
    held_long_run,
    measured_races,
    measured_rounds,
    neighbours,
    variation,
    wrong_across,
    wrong_decisions,
    wrong_in_races,
)
from benchmarks.timing.scripted import coverage, wrong_orders
from benchmarks.timing.setup import FULL, QUICK, Setup, Size
from benchmarks.timing.tables import tables
from objectives.runtimes.catalogue import target_here

WAYS = (OURS, *PEERS)


def main(arguments: list[str] | None = None, size: Size | None = None) -> None:
    """Measure what is missing of the chosen parts, print all tables, write all figures.

    Args:
        size: How much is measured, where neither the full nor the quick size will do.
    """
    options = _options(arguments)
    torch.set_num_threads(1)
    out = options.out / ("quick" if options.quick else "full") / options.provider
    out.mkdir(parents=True, exist_ok=True)
    target = target_here(provider=options.provider, imgsz=options.imgsz)
    setup = Setup(size or (QUICK if options.quick else FULL), target, out)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    figures = _known(out / "figures.json") or {"parts": {}, "minutes": {}, "machine": machine(options.provider)}
    figures |= {"target": str(target), "size": asdict(setup.size), "quick": options.quick}
    for part in options.part or PARTS:
        begun = time.perf_counter()
        figures["parts"][part] = PARTS[part](setup, cores)
        spent = (time.perf_counter() - begun) / 60
        figures["minutes"][part] = round(figures["minutes"].get(part, 0.0) + spent, 2)
        (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        print(f"{part}: {spent:.1f} min", flush=True)
    print("", *tables(figures), "", f"written: {out / 'figures.json'}", sep="\n")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for results; found again when run again")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; may be given several times")
    parser.add_argument("--quick", action="store_true", help="little of everything: to see that it works")
    parser.add_argument(
        "--provider", default="cpu", help="of onnxruntime: cpu, cuda or tensorrt (default: %(default)s)"
    )
    parser.add_argument("--imgsz", type=int, default=160, metavar="PX", help="image size (default: %(default)s)")
    return parser.parse_args(arguments)


def _known(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _spread(setup: Setup, cores: int) -> dict[str, Any]:
    rounds = measured_rounds(setup, cores)
    names = [rung.name(place) for place, rung in enumerate(setup.ladders[0][: setup.size.spread_networks])]
    everywhere = sorted({name for each in rounds for name in each["figures"]})
    found = {way: {c: variation(rounds, way, c, names) for c in CONDITIONS} for way in WAYS}
    found |= {f"{OURS}, all networks": {c: variation(rounds, OURS, c, everywhere) for c in CONDITIONS}}
    strangers = {c: float(np.mean([r["strangers"] for r in rounds if r["condition"] == c])) for c in CONDITIONS}
    ours = [figures[OURS] for each in rounds for figures in each["figures"].values()]
    return {
        "variation": found,
        "networks": names,
        "all_networks": everywhere,
        "strangers": strangers,
        "cpu_s": float(np.median([each["cpu_s"] for each in ours])),
        "loadings": float(np.mean([each["loadings"] for each in ours])),
        "runs": float(np.median([each["runs"] for each in ours])),
    }


def _order(setup: Setup, cores: int) -> dict[str, Any]:
    rounds, races = measured_rounds(setup, cores), measured_races(setup, cores)
    pairs = neighbours(setup.ladders)
    wrong, ties, decisions = wrong_in_races(races)
    return {
        "pairs": [
            {"faster": lower.name(place), "slower": upper.name(place + 1), "ratio": upper.above}
            for rungs in setup.ladders
            for place, (lower, upper) in enumerate(pairwise(rungs))
        ],
        "same_condition": {way: wrong_decisions(rounds, way, pairs) for way in WAYS},
        "any_condition": {way: wrong_across(rounds, way, pairs) for way in WAYS},
        "races": {
            "wrong": wrong,
            "ties": ties,
            "decisions": decisions,
            "cpu_s": float(np.median([race["cpu_s"] / len(race["order"]) for race in races])),
        },
    }


def _coverage(setup: Setup, cores: int) -> dict[str, Any]:
    scripted = coverage(setup.size.scripted)
    return {
        "scripted": [asdict(each) for each in scripted],
        "scripted_wrong_orders": wrong_orders(200),
        "real": held_long_run(measured_rounds(setup, cores)),
    }


PARTS: dict[str, Callable[[Setup, int], Any]] = {
    "order": _order,
    "spread": _spread,
    "coverage": _coverage,
    "cost": lambda setup, _: costs(setup),
    "foreign": lambda setup, _: differences(foreign(setup)),
    "prediction": lambda setup, _: predictions(setup),
}


if __name__ == "__main__":
    main()
