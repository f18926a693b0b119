"""Parent's weights or zeros where a graft's head reads channels that its donor never saw? Both, fine-tuned alike.

    python -m benchmarks.seam --data path/to/data.yaml --weights yolov8n.safetensors --out runs/seam

Three donors are cut from one parent and fine-tuned: half of the FLOPs by L2, by Taylor, and a second round from the
first. Every pair of two of them is grafted both ways round, with both seams. Prints a Markdown table and writes it,
with all figures as JSON lines, to --out.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from itertools import permutations
from typing import Any

from benchmarks.setup.finetuning import BATCH, Bench, Results, arguments, markdown, spread
from objectives.training.gradients import gradients
from spaces.allocation.allocation import Cutter
from spaces.allocation.global_ranking import GlobalRanking
from spaces.allocation.uniform import thin, uniform
from spaces.base import Candidate, Origin
from spaces.networks.checkpoint import content_hash
from spaces.networks.cost_formula import CostFormula
from spaces.networks.graft import graft
from spaces.networks.parent import Parent
from spaces.ranking.importance import scores
from spaces.structure.slicing import Seam

SEAMS: tuple[Seam, ...] = ("parent", "zeros")


def main() -> None:
    """Run what is missing and print the table."""
    options = arguments(__doc__.splitlines()[0]).parse_args()
    bench = Bench.of(options)
    results = Results(options.out / "seam.jsonl")
    parent = bench.parent(options)
    donors = _donors(bench, parent, options)
    accuracies = {
        name: results.once(f"donor {name}", partial(bench.accuracies, candidate)) for name, candidate in donors.items()
    }
    pairs = list(permutations(donors, 2))
    for seed in range(options.seeds):
        for pair in pairs:
            for seam in SEAMS:
                key = f"{pair[0]} + {pair[1]}, {seam}, seed {seed}"
                results.once(key, partial(_run, bench, parent, donors, pair, seam, seed, options))
                print(f"done: {key}", flush=True)
    table = [
        [name, "donor", "", "", f"{found['val']:.3f}", f"{found['test']:.3f}" if "test" in found else ""]
        for name, found in accuracies.items()
    ]
    for one, other in pairs:
        for seam in SEAMS:
            found = [results.once(f"{one} + {other}, {seam}, seed {seed}", dict) for seed in range(options.seeds)]
            table.append(_line(f"{one} + {other}", seam, found))
    head = ["backbone + head", "seam", "unseen", "BatchNorm re-estimated", "fine-tuned: val", "fine-tuned: test"]
    text = markdown(head, table)
    (options.out / "seam.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def _donors(bench: Bench, parent: Parent, options: argparse.Namespace) -> dict[str, Candidate]:
    def tuned(candidate: Candidate) -> Candidate:
        return bench.trained(bench.settled(candidate), bench.recipe(options.epochs), seed=0)

    first = bench.kept("uniform", lambda: tuned(parent.build(uniform(parent, 0.7))))

    def second() -> Candidate:
        name = content_hash(first)
        return tuned(
            parent.build(thin(first, parent, 0.8), Origin((name,) * len(parent.layer_sections)), {name: first})
        )

    def by_taylor() -> Candidate:
        whole, formula = parent.as_candidate(), CostFormula.of(parent)
        slopes = gradients(whole, bench.data, imgsz=bench.imgsz, batches=8, batch=BATCH, device=bench.device)
        cutter = Cutter(parent, whole, scores(whole, parent, "taylor", gradients=slopes), GlobalRanking(relative=False))
        return tuned(parent.build(cutter.at_share(0.5, lambda spec: float(formula.costs((spec,)).flops[0]))))

    return {"uniform": first, "round-2": bench.kept("round-2", second), "taylor": bench.kept("taylor", by_taylor)}


def _run(
    bench: Bench,
    parent: Parent,
    donors: Mapping[str, Candidate],
    pair: tuple[str, str],
    seam: Seam,
    seed: int,
    options: argparse.Namespace,
) -> Mapping[str, Any]:
    joined = graft(backbone=donors[pair[0]], head=donors[pair[1]], parent=parent, seam=seam)
    settled = bench.settled(joined)
    tuned = bench.trained(settled, bench.recipe(options.epochs), seed)
    return {
        "unseen": _unseen(parent, donors[pair[0]], donors[pair[1]]),
        "settled": bench.map50_95(settled),
        "tuned": bench.accuracies(tuned),
    }


def _unseen(parent: Parent, backbone: Candidate, head: Candidate) -> float:
    """Share of the backbone channels that the graft's head reads and its donor never saw."""
    read = unseen = 0
    for group, ours, theirs in zip(parent.groups, backbone.spec.kept, head.spec.kept, strict=True):
        readers = [member for member in group.members if member.side == "in"]
        if group.section == "backbone" and any(_in_head(parent, member.module) for member in readers):
            read += len(ours)
            unseen += len(set(ours) - set(theirs))
    return unseen / read


def _in_head(parent: Parent, module: str) -> bool:
    return parent.layer_sections[int(module.split(".")[1])] != "backbone"


def _line(name: str, seam: str, found: list[dict[str, Any]]) -> list[str]:
    return [
        name,
        seam,
        f"{100 * found[0]['unseen']:.0f} %",
        f"{found[0]['settled']:.3f}",
        spread([each["tuned"]["val"] for each in found]),
        spread([each["tuned"]["test"] for each in found]) if "test" in found[0]["tuned"] else "",
    ]


if __name__ == "__main__":
    main()
