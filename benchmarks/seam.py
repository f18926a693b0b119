"""Compare two seams of a graft: the parent's weights or zeros for channels that the head's donor does not have.

    python -m benchmarks.seam --data path/to/data.yaml --weights yolov8n.safetensors --out runs/seam

Three donors are cut from one parent and fine-tuned: 70 % of every group's channels by L2, a second round from that one,
and half of the FLOPs by Taylor. Every ordered pair of two donors is grafted with both seams, and every graft is
fine-tuned by the same recipe. Prints a Markdown table and writes it, with all results as JSON lines, to --out.
"""

from __future__ import annotations

from functools import partial
from itertools import permutations
from typing import Any

from benchmarks.finetuning.bench import FineTuningBench, finetuning_parser, mean_and_half_range
from benchmarks.finetuning.seams import GraftCase, SeamComparison, make_donors
from benchmarks.setup.markdown import markdown_table
from benchmarks.setup.results import ResultsFile
from spaces.structure.slicing import Seam

SEAMS: tuple[Seam, ...] = ("parent", "zeros")


def main() -> None:
    """Run the missing fine-tunings and print the table."""
    options = finetuning_parser(__doc__.splitlines()[0]).parse_args()
    bench = FineTuningBench.of(options)
    results = ResultsFile(options.out / "seam.jsonl")
    parent = bench.parent(options)
    donors = make_donors(bench, parent, options.epochs)
    table = [
        _donor_row(name, results.get_or_run(f"donor {name}", partial(bench.accuracies, candidate)))
        for name, candidate in donors.items()
    ]
    comparison = SeamComparison(bench, parent, donors, options.epochs)
    cases = [GraftCase(*pair, seam) for pair in permutations(donors, 2) for seam in SEAMS]
    for seed in range(options.seeds):
        for case in cases:
            results.get_or_run(case.key(seed), partial(comparison.measure, case, seed))
            print(f"done: {case.key(seed)}", flush=True)
    for case in cases:
        table.append(_graft_row(case, [results.get_or_run(case.key(seed), dict) for seed in range(options.seeds)]))
    head = ["backbone + head", "seam", "missing", "BatchNorm re-estimated", "fine-tuned: val", "fine-tuned: test"]
    text = markdown_table(head, table)
    (options.out / "seam.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def _donor_row(name: str, found: dict[str, Any]) -> list[str]:
    return [name, "donor", "", "", f"{found['val']:.3f}", f"{found['test']:.3f}" if "test" in found else ""]


def _graft_row(case: GraftCase, found: list[dict[str, Any]]) -> list[str]:
    return [
        f"{case.backbone} + {case.head}",
        case.seam,
        f"{100 * found[0]['unseen']:.0f} %",
        f"{found[0]['settled']:.3f}",
        mean_and_half_range([each["tuned"]["val"] for each in found]),
        mean_and_half_range([each["tuned"]["test"] for each in found]) if "test" in found[0]["tuned"] else "",
    ]


if __name__ == "__main__":
    main()
