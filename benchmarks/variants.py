"""Train many cut and grafted variants of one parent, so that searches can be compared on a table, in seconds.

    python -m benchmarks.variants --out runs/variants --worker 0 --workers 2     (one command per core)
    python -m benchmarks.variants --out runs/variants --collect benchmarks/tables/digits

If a command is killed, the same command continues it. The second command writes the finished variants into the
repository, with the parent and the donors, so that another machine continues with the same networks. All variants take
six CPU hours. A row has the variant's parameters, its cost, mAP and loss of every epoch, and latency ratios on two
runtimes. The first 64 variants are trained with two further seeds, to know the noise. The table also has the loss
increase when each channel group of the parent is halved, which the sampler of a study measures before its first trial.

The parent is YOLOv8 of half of n's width on digit scenes of 96 px. Latency is measured at 224 px, where a network of
this size is large enough for exact measurements.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.setup.options import results_parser
from benchmarks.setup.results import ResultsFile
from benchmarks.variant_table.builder import TRAINING_PX, VariantBuilder
from benchmarks.variant_table.measurements import (
    VARIANT_SEEDS,
    VariantMeters,
    measure_repeat,
    measure_sensitivity,
    measure_variant,
)
from benchmarks.variant_table.sampling import draw_points
from benchmarks.variant_table.stored_table import NETWORKS_FOLDER, SENSITIVITY_FILE, TABLE, add_results, read_rows

VARIANTS = 520
REPEATED_VARIANTS = 64


def main() -> None:
    """Measure this worker's share, or collect what is finished."""
    options = _options()
    torch.set_num_threads(1)
    if options.collect is not None:
        rows = add_results(options.out, options.collect)
        print(f"{rows} variants of {TRAINING_PX} px are in {options.collect}")
        return
    builder = VariantBuilder.prepare(options.out, TABLE / NETWORKS_FOLDER)
    results = ResultsFile(options.out / f"variants-{options.worker}.jsonl")
    for key, work in _missing_work(builder, options):
        results.get_or_run(key, work)
        print(f"done: {key}", flush=True)


def _options() -> argparse.Namespace:
    parser = results_parser(__doc__)
    parser.add_argument("--worker", type=int, default=0, metavar="K", help="number of this worker, from 0")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="number of all workers")
    parser.add_argument("--variants", type=int, default=VARIANTS, metavar="N", help="default: %(default)s")
    parser.add_argument("--collect", type=Path, metavar="DIR", help="write the table into this folder, and stop")
    return parser.parse_args()


def _missing_work(
    builder: VariantBuilder, options: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield this worker's work by key: every variant once, then the repeats of the first ones.

    Variants that the repository's table already has are left out.
    """
    rows = read_rows(TABLE)
    known = {row["number"] for row in rows}
    known_seeds = {(row["number"], seed) for row in rows for seed in row["curves"]}
    mine = range(options.worker, options.variants, options.workers)
    points = draw_points(builder, options.variants)
    if options.worker == 0 and not (TABLE / SENSITIVITY_FILE).exists():
        yield SENSITIVITY_FILE, partial(measure_sensitivity, builder)
    with VariantMeters.open(builder, options.out / "scratch") as meters:
        for number in mine:
            if number not in known:
                yield f"variant {number}", partial(measure_variant, builder, meters, points[number])
        for seed in VARIANT_SEEDS[1:]:
            for number in mine:
                if number < REPEATED_VARIANTS and (number, str(seed)) not in known_seeds:
                    yield f"repeat {number} {seed}", partial(measure_repeat, builder, points[number], seed)


if __name__ == "__main__":
    main()
