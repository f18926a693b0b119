"""How long one suggestion takes once a study has a thousand records, by ours and by Optuna's Gaussian process.

    python -m benchmarks.suggestion --out runs/search

The space is that of our own table (53 parameters, four donors), the records lie in SQLite as those of a study do: of
five trials one was stopped. Accuracy and latency are formulas: what they say does not matter here. Both samplers are
asked in the same run, one after the other. Ours knows what halving each layer does, and nothing of earlier studies.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.searching.digits_table import TABLE, halved
from benchmarks.variant_table.made import EPOCHS, PX, Made, recipe_of
from objectives.base import Direction, EpochResult, Evaluation, Measurement
from objectives.device.target import Target
from search.latency.predictor import LatencyPredictor, fit_of
from search.latency.stored_latencies import stored_key
from search.record.trial import Outcome, TrialRecord
from search.sampler.candidate_pool import CandidatePool
from search.sampler.candidate_predictions import CandidatePredictions
from search.sampler.optuna_study import OptunaStudy
from search.sampler.registry import make_sampler
from search.store.base import Store
from search.store.entries import LatencyEntry, TargetEntry
from search.store.sql import open_store
from search.trial.workbench import Plan
from spaces.base import ParamValue
from spaces.networks.cost_formula import CostFormula
from spaces.structure.shape import Shape

RECORDS, ASKED, GP_ASKED = 1000, 9, 3
STOPPED_OF = 5
REFERENCE_MS = 10.0
OBJECTIVES = (("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE))
TARGET = Target("onnxruntime", "cpu", "fp32", PX, 1, 1, "a CPU", "an engine", "formulas")
OURS, GP = "front", "gp"


def main(arguments: list[str] | None = None) -> None:
    """Fill a study, ask for suggestions, write and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for figures")
    parser.add_argument("--records", type=int, default=RECORDS, metavar="N", help="default: %(default)s")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        filled = Filled(Made.prepared(Path(folder), TABLE / "networks"), f"sqlite:///{folder}/yolofront.db")
        seconds = filled.timed(options.records)
    found = {"records": options.records, "parameters": len(filled.made.space.parameters), "seconds": seconds}
    (options.out / "suggestion.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(sentence(found))


def sentence(found: Mapping[str, Any]) -> str:
    """What the figures say."""
    (first, *ours), (gp_first, *gp) = (found["seconds"][name] for name in (OURS, GP))
    return (
        f"With {found['records']:,} records of {found['parameters']} parameters one suggestion takes ours "
        f"{np.median(ours):.2f} s and Optuna's GP {np.median(gp):.1f} s (medians of {len(ours)} and {len(gp)}); the "
        f"first one of a process, which fits what is fitted only now and then, {first:.1f} s and {gp_first:.1f} s."
    )


@dataclass(frozen=True)
class Filled:
    """A study with made-up records in a database of its own."""

    made: Made
    url: str

    def timed(self, count: int) -> dict[str, list[float]]:
        """Seconds of each suggestion, by sampler."""
        store = open_store(self.url)
        plan = Plan(self.made.space, (), recipe_of(self.made.data, EPOCHS), {}, {}, 0)
        predictions = self._filled(store, plan, count)
        seconds: dict[str, list[float]] = {}
        for name, asked in ((OURS, ASKED), (GP, GP_ASKED)):
            sampler = make_sampler(name, 0, (), predictions)
            optuna = OptunaStudy(self.url, "a study", OBJECTIVES, plan.parameters, sampler)
            for _ in range(asked + 1):  # the first one also fits what is fitted only now and then
                begun = time.perf_counter()
                optuna.ask()
                seconds.setdefault(name, []).append(round(time.perf_counter() - begun, 3))
        store.close()
        return seconds

    def _filled(self, store: Store, plan: Plan, count: int) -> CandidatePredictions:
        study = store.freeze(store.add_study("a study", {"what": "formulas"}, OBJECTIVES), {"reference_point": [0, 9]})
        store.add_target(TargetEntry(TARGET.key, {}, REFERENCE_MS))
        optuna = OptunaStudy(self.url, "a study", OBJECTIVES, plan.parameters, make_sampler("random", 0))
        points = CandidatePool(plan.parameters).draw(count, (), np.random.default_rng(0))
        records = [self._record(number, point, store) for number, point in enumerate(points)]
        for record in records:
            store.add(study, record, None)
        optuna.settle(records, (), (), may_be_asking=False)
        beside, worst, structure = [(8.0, 0.8)], (9.0, 0.0), self.made.parent.structure
        return CandidatePredictions(
            plan=plan,
            store=store,
            study=study,
            latency=LatencyPredictor(
                store=store,
                target=TARGET,
                reference_ms=REFERENCE_MS,
                structure=structure.key,
                fit=fit_of(structure),
            ),
            structure=structure,
            rows=beside,
            worst=worst,
            sensitivity=halved(TABLE)[0],
        )

    @cached_property
    def _formula(self) -> CostFormula:
        return CostFormula.of(self.made.parent)

    def _record(self, number: int, point: Mapping[str, ParamValue], store: Store) -> TrialRecord:
        spec, _ = self.made.space.decode(point)
        flops, whole = self._formula.costs((spec, self.made.parent.full_spec())).flops
        size, shape = float(flops / whole), Shape.of_spec(spec, PX)
        measured = Measurement("latency_ms", 1 + 7 * size, "ms", ratio=(1 + 7 * size) / REFERENCE_MS, target=TARGET.key)
        store.add_latency(LatencyEntry(stored_key(shape, TARGET), TARGET.key, measured, shape=shape))
        accuracy = 0.8 * size**0.3 + 0.01 * float(np.sin(number))
        curve = tuple(EpochResult(e, accuracy * e / EPOCHS, accuracy, 2 - accuracy, 1.0) for e in range(1, EPOCHS + 1))
        complete = number % STOPPED_OF > 0 or number < 2 * STOPPED_OF
        return TrialRecord(
            number, f"trial {number}", Outcome.COMPLETE if complete else Outcome.STOPPED, "", dict(point), None, None,
            str(number), {"epochs": EPOCHS}, 0, (measured,), (_score(accuracy),) if complete else (),
            curve if complete else curve[:2],
        )  # fmt: skip


def _score(accuracy: float) -> Evaluation:
    return Evaluation("val", 1, accuracy, accuracy, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, (accuracy,))


if __name__ == "__main__":
    main()
