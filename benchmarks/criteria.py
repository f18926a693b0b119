"""Compare pruning criteria and allocations: cuts of one parent to half of its FLOPs, fine-tuned by the same recipe.

    python -m benchmarks.criteria --data path/to/data.yaml --weights yolov8n.safetensors --out runs/criteria

Every row keeps the same share of FLOPs, has its BatchNorm statistics re-estimated and is fine-tuned by the same recipe.
Rows that rank by BatchNorm scales start from the sparse parent: the parent after further epochs with sparsity. Prints a
Markdown table and writes it, with all results as JSON lines, to --out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.finetuning.bench import FineTuningBench, finetuning_parser, mean_and_half_range
from benchmarks.finetuning.cut_methods import CUT_METHODS, CutComparison, train_with_sparsity
from benchmarks.setup.markdown import markdown_table
from benchmarks.setup.results import ResultsFile
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from spaces.base import Candidate
from spaces.networks.parent import Parent


def main() -> None:
    """Run the missing fine-tunings and print the table."""
    parser = finetuning_parser(__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.5, help="share of the parent's FLOPs that stays")
    options = parser.parse_args()
    bench = FineTuningBench.of(options)
    results = ResultsFile(options.out / "criteria.jsonl")
    parent = bench.parent(options)
    sparse = parent.with_weights(bench.networks.get_or_make("sparse", lambda: train_with_sparsity(bench, parent)))
    comparison = CutComparison(bench, parent, sparse, options.share, options.epochs)
    table = [_uncut_row(bench, results, "parent", parent), _uncut_row(bench, results, "sparse parent", sparse)]
    for seed in range(options.seeds):
        for method in CUT_METHODS:
            results.get_or_run(f"{method.name} seed {seed}", partial(comparison.measure, method, seed))
            print(f"done: {method.name}, seed {seed}", flush=True)
    table += _cut_rows(comparison, results, options.seeds)
    head = ["cut", "FLOPs", "parameters", "latency", "as cut", "BatchNorm re-estimated", "fine-tuned: val", "test"]
    text = markdown_table(head, table)
    (options.out / "criteria.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def _uncut_row(bench: FineTuningBench, results: ResultsFile, name: str, parent: Parent) -> list[str]:
    found = results.get_or_run(name, lambda: bench.accuracies(parent.as_candidate()))
    test = f"{found['test']:.3f}" if "test" in found else ""
    return [name, "1.00", "1.00", "1.00", "", "", f"{found['val']:.3f}", test]


def _cut_rows(comparison: CutComparison, results: ResultsFile, seeds: int) -> list[list[str]]:
    """Measure the latency of every cut, and return the rows of the table."""
    rows = []
    with _meter(comparison.bench, comparison.parent) as meter:

        def latency_of(name: str, make: Callable[[], Candidate]) -> float:
            def measure() -> dict[str, float]:
                return {"ratio": meter.time(make()).ratio(meter.target.clock).median}

            return float(results.get_or_run(f"latency of {name}", measure)["ratio"])

        parent_ratio = latency_of("the parent", comparison.parent.as_candidate)
        for method in CUT_METHODS:
            found = [results.get_or_run(f"{method.name} seed {seed}", dict) for seed in range(seeds)]
            ratio = latency_of(method.name, partial(comparison.cut, method))
            rows.append(_row(method.name, found, ratio / parent_ratio))
    return rows


def _meter(bench: FineTuningBench, parent: Parent) -> LatencyMeter:
    target = target_here(imgsz=bench.imgsz)
    return LatencyMeter(target, reference_candidate(parent), scratch=bench.out / "scratch")


def _row(name: str, found: list[dict[str, Any]], latency: float) -> list[str]:
    first = found[0]
    return [
        name,
        f"{first['flops']:.2f}",
        f"{first['parameters']:.2f}",
        f"{latency:.2f}",
        f"{first['cut']:.3f}",
        f"{first['settled']:.3f}",
        mean_and_half_range([each["tuned"]["val"] for each in found]),
        mean_and_half_range([each["tuned"]["test"] for each in found]) if "test" in first["tuned"] else "",
    ]


if __name__ == "__main__":
    main()
