"""Trains many cut and grafted variants of one parent, so that searches can be compared on a table, in seconds.

    python -m benchmarks.variants --out runs/variants --worker 0 --workers 2     (one command a core; all can be killed)
    python -m benchmarks.variants --out runs/variants --collect benchmarks/tables/digits

The second command writes what is finished so far into the repository, with the parent and the donors, so that another
machine goes on with the very same ones. Six CPU hours in all. Each variant has: its parameters, cost, mAP and loss of
every epoch, and latency ratios on two runtimes. The first 64 are trained with two further seeds, for the noise. Of the
parent it is noted what halving each of its channel groups does, as a study's sampler measures it beforehand.

The parent is yolov8 of half of n's width on digit scenes of 96 px; latency is that of 224 px, where a network of this
size is large enough to be measured well.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.searching.digits_table import HALVED, ROWS, TABLE, read_rows
from benchmarks.setup.results import ResultsFile
from benchmarks.variant_table.drawn import drawn
from benchmarks.variant_table.made import MULTIPLE, PX, Made
from benchmarks.variant_table.trained import latencies, trained
from objectives.training.sensitivity import sensitivity
from spaces.allocation.summed_sensitivity import HALF, SummedSensitivity

VARIANTS = 520
REPEATED = 64
SEEDS = (0, 1, 2)


def main(arguments: list[str] | None = None) -> None:
    """Work on this worker's share, or collect what is finished."""
    options = _options(arguments)
    torch.set_num_threads(1)
    if options.collect is not None:
        collect(options.out, options.collect)
        return
    made = Made.prepared(options.out, TABLE / "networks")
    results = ResultsFile(options.out / f"variants-{options.worker}.jsonl")
    for key, work in _work(made, options):
        results.get_or_run(key, work)
        print(f"done: {key}", flush=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for results; found again when run again")
    parser.add_argument("--worker", type=int, default=0, metavar="K")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--variants", type=int, default=VARIANTS, metavar="N", help="default: %(default)s")
    parser.add_argument("--collect", type=Path, metavar="DIR", help="write the table into this folder, and stop")
    return parser.parse_args(arguments)


def _work(made: Made, options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """What this worker has to do, by key: every variant once, then the repeats of the first ones.

    What the committed table has already is not done again.
    """
    known = {row["number"] for row in read_rows(TABLE)}
    seeds = {(row["number"], seed) for row in read_rows(TABLE) for seed in row["curves"]}
    mine = range(options.worker, options.variants, options.workers)
    points = drawn(made, options.variants)
    if options.worker == 0 and not (TABLE / HALVED).exists():
        yield HALVED, partial(_halved, made)
    with latencies(made, options.out / "scratch") as meters:
        for number in mine:
            if number not in known:
                yield f"variant {number}", partial(_variant, made, meters, points[number])
        for seed in SEEDS[1:]:
            for number in mine:
                if number < REPEATED and (number, str(seed)) not in seeds:
                    yield f"repeat {number} {seed}", partial(_repeat, made, points[number], seed)


def _variant(made: Made, meters: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    candidate, cost = made.built(params)
    ratios = {name: meter.measure(candidate, 1.0).measurement for name, meter in meters.items()}
    return {
        "params": dict(params),
        **cost,
        "latency": {name: [each.ratio, each.low, each.high] for name, each in ratios.items()},
        "curve": trained(made, candidate, SEEDS[0]),
    }


def _repeat(made: Made, params: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {"curve": trained(made, made.built(params)[0], seed)}


def _halved(made: Made) -> dict[str, Any]:
    """What halving each channel group of the parent does, untrained, and how long that took to measure."""
    begun = time.monotonic()
    found = sensitivity(made.parent, made.data, imgsz=PX, ratios=(HALF,), multiple=MULTIPLE)
    seconds = time.monotonic() - begun
    return {**asdict(SummedSensitivity.of(found, made.parent.groups, MULTIPLE)), "seconds": seconds}


def collect(out: Path, table: Path) -> None:
    """Add what is finished under `out` to the rows of a table, and the networks that they were made from."""
    table.mkdir(parents=True, exist_ok=True)
    rows = {row["number"]: row for row in read_rows(table)}
    found = [json.loads(line) for file in sorted(out.glob("variants-*.jsonl")) for line in _whole_lines(file)]
    for entry in sorted(found, key=lambda each: each["key"].startswith("repeat")):
        if entry["key"] == HALVED:
            del entry["key"]
            (table / HALVED).write_text(json.dumps(_rounded(entry)) + "\n", encoding="utf-8")
            continue
        kind, number, *seed = entry.pop("key").split()
        if kind == "variant":
            curve = entry.pop("curve")
            rows.setdefault(int(number), {"number": int(number), **entry, "curves": {}})["curves"].setdefault(
                "0", curve
            )
        elif int(number) in rows:
            rows[int(number)]["curves"][seed[0]] = entry["curve"]
    text = "".join(json.dumps(_rounded(rows[number])) + "\n" for number in sorted(rows))
    (table / ROWS).write_bytes(gzip.compress(text.encode(), mtime=0))
    if not (table / "networks").exists():
        shutil.copytree(out / "networks", table / "networks")
    print(f"{len(rows)} variants of {PX} px are in {table}")


def _whole_lines(file: Path) -> Iterator[str]:
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            json.loads(line)
        except ValueError:
            continue  # cut short by a kill
        yield line


def _rounded(value: Any) -> Any:
    """Five digits are more than any of it is sure of."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
