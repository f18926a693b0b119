"""Which channels to cut, and where? One parent at half its FLOPs, by every criterion and by the ways of others.

    python -m benchmarks.criteria --data path/to/data.yaml --weights yolov8n.safetensors --out runs/criteria

Every row keeps the same share of FLOPs, has its BatchNorm statistics re-estimated and is fine-tuned alike. Rows that
read BatchNorm scales start from a parent that had further epochs with sparsity; `sparse` parents are rows of their own.
Prints a Markdown table and writes it, with all figures as JSON lines, to --out.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.setup.finetuning import BATCH, Bench, Results, arguments, markdown, spread
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from objectives.training.gradients import gradients
from objectives.training.sensitivity import sensitivity
from spaces.allocation.allocation import Allocation, Cutter
from spaces.allocation.global_ranking import GlobalRanking
from spaces.allocation.sensitivity import SensitivityAllocation, SensitivityMap
from spaces.allocation.slimming import Slimming
from spaces.allocation.uniform import Uniform
from spaces.base import Candidate
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.ranking.criteria import Criterion
from spaces.ranking.importance import Scores, mean_scales, scores

SPARSITY_EPOCHS, SPARSITY = 15, 0.3
"""Steps x mean rate x strength is then about 0.6: how much a scale that nothing holds up loses."""


@dataclass(frozen=True)
class Row:
    """One way of cutting.

    Attributes:
        sparse: Whether it starts from the parent that was trained with sparsity.
    """

    allocation: str
    criterion: Criterion
    sparse: bool = False

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.allocation}, {self.criterion}" + (" (sparse parent)" if self.sparse else "")


ROWS = (
    *(Row("uniform", criterion) for criterion in ("l2", "l1", "lamp", "taylor", "random")),
    Row("uniform", "batchnorm", sparse=True),
    Row("uniform", "l2", sparse=True),
    Row("global", "l2"),
    Row("global", "lamp"),
    Row("global", "taylor"),
    Row("slimming", "batchnorm", sparse=True),
    Row("sensitivity", "l2"),
    Row("sensitivity", "taylor"),
)


def main() -> None:
    """Run what is missing and print the table."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.5, help="of the parent's FLOPs that stays")
    options = parser.parse_args()
    bench = Bench.of(options)
    results = Results(options.out / "criteria.jsonl")
    parent = bench.parent(options)
    sparse = parent.with_weights(bench.kept("sparse", lambda: _sparse(bench, parent)))
    table = [_whole(bench, results, "parent", parent), _whole(bench, results, "sparse parent", sparse)]
    for seed in range(options.seeds):
        for row in ROWS:
            results.once(f"{row.name} seed {seed}", partial(_run, bench, parent, sparse, row, seed, options))
            print(f"done: {row.name}, seed {seed}", flush=True)
    with _meter(bench, parent) as meter:
        whole_ms = results.once("latency of the parent", lambda: _latency(meter, parent.as_candidate()))["ratio"]
        for row in ROWS:
            found = [results.once(f"{row.name} seed {seed}", dict) for seed in range(options.seeds)]
            timed = partial(_row_latency, meter, bench, parent, sparse, row, options)
            table.append(_line(row.name, found, results.once(f"latency of {row.name}", timed)["ratio"] / whole_ms))
    head = ["cut", "FLOPs", "parameters", "latency", "as cut", "BatchNorm re-estimated", "fine-tuned: val", "test"]
    text = markdown(head, table)
    (options.out / "criteria.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def _sparse(bench: Bench, parent: Parent) -> Candidate:
    return bench.trained(parent.candidate(), bench.recipe(SPARSITY_EPOCHS, sparsity=SPARSITY), seed=0)


def _whole(bench: Bench, results: Results, name: str, parent: Parent) -> list[str]:
    found = results.once(name, lambda: bench.accuracies(parent.as_candidate()))
    return [
        name,
        "1.00",
        "1.00",
        "1.00",
        "",
        "",
        f"{found['val']:.3f}",
        f"{found['test']:.3f}" if "test" in found else "",
    ]


def _run(
    bench: Bench, parent: Parent, sparse: Parent, row: Row, seed: int, options: argparse.Namespace
) -> Mapping[str, Any]:
    parent = sparse if row.sparse else parent
    formula = CostFormula.of(parent)
    cut = _cut(bench, parent, row, options)
    spec = cut.spec
    settled = bench.settled(cut)
    tuned = bench.trained(settled, bench.recipe(options.epochs), seed)
    whole = formula.costs((parent.full_spec(), spec))
    return {
        "flops": float(whole.flops[1] / whole.flops[0]),
        "parameters": float(whole.parameters[1] / whole.parameters[0]),
        "cut": bench.map50_95(cut),
        "settled": bench.map50_95(settled),
        "tuned": bench.accuracies(tuned),
    }


def _cut(bench: Bench, parent: Parent, row: Row, options: argparse.Namespace) -> Candidate:
    """The parent cut by that row's rule, nothing trained."""
    formula = CostFormula.of(parent)
    cutter = Cutter(parent, parent.as_candidate(), _scores(bench, parent, row), _allocation(bench, parent, row))
    return parent.build(cutter.at_share(options.share, lambda spec: float(formula.costs((spec,)).flops[0])))


def _meter(bench: Bench, parent: Parent) -> LatencyMeter:
    target = target_here(imgsz=bench.imgsz)
    return LatencyMeter(target, reference_candidate(parent), scratch=bench.out / "scratch")


def _latency(meter: LatencyMeter, candidate: Candidate) -> dict[str, float]:
    """Latency relative to the reference's, timed in turn with it."""
    return {"ratio": meter.time(candidate).ratio(meter.target.clock).median}


def _row_latency(
    meter: LatencyMeter, bench: Bench, parent: Parent, sparse: Parent, row: Row, options: argparse.Namespace
) -> dict[str, float]:
    return _latency(meter, _cut(bench, sparse if row.sparse else parent, row, options))


def _scores(bench: Bench, parent: Parent, row: Row) -> Scores:
    candidate = parent.as_candidate()
    if row.criterion == "batchnorm":
        return mean_scales(candidate, parent, after_sparsity=row.sparse)
    slopes = None
    if row.criterion == "taylor":
        slopes = gradients(candidate, bench.data, imgsz=bench.imgsz, batches=8, batch=BATCH, device=bench.device)
    return scores(candidate, parent, row.criterion, gradients=slopes)


def _allocation(bench: Bench, parent: Parent, row: Row) -> Allocation:
    if row.allocation == "uniform":
        return Uniform()
    if row.allocation == "slimming":
        return Slimming()
    if row.allocation == "global":
        return GlobalRanking(relative=row.criterion == "l2")  # LAMP's and Taylor's scores compare as they are
    return SensitivityAllocation(_map(bench, parent), {g.name: g.tie or g.name for g in parent.groups})


def _map(bench: Bench, parent: Parent) -> SensitivityMap:
    """Measured once: it takes as long as a fine-tuning."""
    found = Results(bench.out / "sensitivity.jsonl").once(
        "parent",
        lambda: dataclasses.asdict(
            sensitivity(parent, bench.data, imgsz=bench.imgsz, batch=BATCH, device=bench.device)
        ),
    )
    values = {name: tuple(row) for name, row in found["values"].items()}
    return SensitivityMap(found["measure"], found["whole"], tuple(found["ratios"]), values)


def _line(name: str, found: list[dict[str, Any]], latency: float) -> list[str]:
    first = found[0]
    return [
        name,
        f"{first['flops']:.2f}",
        f"{first['parameters']:.2f}",
        f"{latency:.2f}",
        f"{first['cut']:.3f}",
        f"{first['settled']:.3f}",
        spread([each["tuned"]["val"] for each in found]),
        spread([each["tuned"]["test"] for each in found]) if "test" in first["tuned"] else "",
    ]


if __name__ == "__main__":
    main()
