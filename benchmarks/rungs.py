"""What stopping trials early spares, and what it costs: curves of variants that are trained already, played back.

    python -m benchmarks.rungs --out runs/rungs

The same search with each rule, with 1, 4, 8 and 16 workers, until complete trials have 98 % of the best hypervolume of
the table in `benchmarks/tables/digits`; rules that never get there, with fewer seeds. Kill it, and the same command
goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.searching.digits_table import TABLE, Variants, digits_problems
from benchmarks.searching.simulated_workers import Simulation
from benchmarks.setup.markdown import markdown_table
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.results import ResultsFile
from objectives.base import EpochResult
from search.record.trial import Outcome, TrialRecord
from search.trial.stopping import AgainstTheFront, MoAsha, NeverStop, Rule

SEEDS = 20
WORKERS = (1, 4, 8, 16)
AIM = 0.98
TENTHS = 10
COMPARED_AT = 50
"""Complete trials after which one worker and several are compared."""
FEW = {"mo-asha": 5, "median of mAP": 3}
"""Seeds of the rules that stop too much to reach the aim: a study of theirs goes on for 250 trials."""
OURS, OURS_BEFORE = "front", "front, from before training"


@dataclass(frozen=True)
class BelowTheMedian(Rule):
    """What people do with one objective: stop what is below the median mAP at its epoch, whatever its latency.

    Source: Golovin et al., Google Vizier, KDD 2017, section 3.2.2; Optuna's `MedianPruner`, from its fifth trial on.
    """

    first: int = 5

    def verdict(
        self, latency_ms: float, curve: Sequence[EpochResult], epochs: int, others: Sequence[TrialRecord]
    ) -> str:
        """See `Rule`."""
        last = curve[-1]
        complete = [record for record in others if record.outcome is Outcome.COMPLETE]
        if last.epoch >= epochs or len(complete) < self.first:
            return ""
        seen = [result.map50_95 for record in complete for result in record.rungs if result.epoch == last.epoch]
        return "below the median" if seen and max(e.map50_95 for e in curve) < np.median(seen) else ""


RULES: Mapping[str, tuple[Rule, bool]] = {
    "none": (NeverStop(), False),
    OURS: (AgainstTheFront(), False),
    OURS_BEFORE: (AgainstTheFront(), True),
    "mo-asha": (MoAsha(), False),
    "median of mAP": (BelowTheMedian(), False),
}
"""Each rule, and whether trials are scored before their training too."""


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, print the tables, write all figures."""
    options = _options(arguments)
    problems = {problem.name: problem for problem in digits_problems(options.table)}
    results = ResultsFile(options.out / "rungs.jsonl")
    work = [
        each
        for each in product(problems, options.rule or RULES, options.workers or WORKERS, range(options.seeds))
        if each[3] < FEW.get(each[1], options.seeds)
    ]
    with ProcessPoolExecutor(options.processes, initializer=use_one_thread) as pool:
        finished = results.read()
        runs = {each: pool.submit(played, problems[each[0]], *each[1:]) for each in work if _key(*each) not in finished}
        for each, run in runs.items():
            results.get_or_run(_key(*each), run.result)
    figures = figures_of({_run_of(key): run for key, run in sorted(results.read().items(), key=_in_order)})
    (options.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(*tables(figures), sep="\n\n")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for results; found again when run again")
    parser.add_argument("--table", type=Path, default=TABLE, help="folder of the table (default: the repository's)")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="default: %(default)s")
    parser.add_argument("--rule", action="append", choices=RULES, help="only this one; may be given several times")
    parser.add_argument("--workers", action="append", type=int, metavar="N", help="only so many; may be given again")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N", help="default: %(default)s")
    return parser.parse_args(arguments)


def _key(problem: str, rule: str, workers: int, seed: int) -> str:
    return f"{problem} | {rule} | {workers} | {seed}"


def _run_of(key: str) -> tuple[str, str, int, int]:
    problem, rule, workers, seed = key.split(" | ")
    return problem, rule, int(workers), int(seed)


def _in_order(found: tuple[str, Mapping[str, Any]]) -> tuple[str, int, int, int]:
    """Rules as they are listed; what was run by an earlier command is counted too."""
    problem, rule, workers, seed = _run_of(found[0])
    return problem, list(RULES).index(rule), workers, seed


def played(problem: Variants, rule: str, workers: int, seed: int) -> dict[str, Any]:
    """One simulated study; of the front's members that were begun, and stopped, the tenths of the latency range."""
    rules, before = RULES[rule]
    problem = problem.drawn(seed)
    run = Simulation(problem, rules, workers, seed, before=before, aims=(AIM,), least=COMPARED_AT).play()
    epochs, trials = run.reached.get(AIM, (None, None))
    front, tenths = set(problem.front), problem.tenths(TENTHS)
    return {
        "epochs": epochs,
        "trials": trials,
        "members": [int(tenths[each]) for each in run.started if each in front],
        "lost": [int(tenths[each]) for each in run.stopped if each in front],
        "stopped": len(run.stopped),
        "begun": len(run.started),
        "share": run.shares[COMPARED_AT - 1] if len(run.shares) >= COMPARED_AT else None,
    }


def figures_of(found: Mapping[tuple[str, str, int, int], Mapping[str, Any]]) -> dict[str, Any]:
    """By rule and workers: epochs and trials to the aim; by rule: members of the true front that it stopped."""
    figures: dict[str, Any] = {"rules": {}, "lost": {}}
    for rule, workers in dict.fromkeys((rule, workers) for _, rule, workers, _ in found):
        runs = [each for (_, r, w, _), each in found.items() if (r, w) == (rule, workers)]
        figures["rules"].setdefault(rule, {})[workers] = {
            "epochs": _median([each["epochs"] for each in runs]),
            "trials": _median([each["trials"] for each in runs]),
            "stopped": float(np.mean([each["stopped"] / each["begun"] for each in runs])),
            "share": _median([each["share"] for each in runs]),
            "runs": len(runs),
        }
    for rule in figures["rules"]:
        figures["lost"][rule] = _lost([each for key, each in found.items() if key[1] == rule])
    return figures


def _lost(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the true front's members that were begun how many were stopped: in all, and by tenth of the latency range."""
    begun, lost = (np.bincount([t for run in runs for t in run[key]], minlength=TENTHS) for key in ("members", "lost"))
    shares = [float(gone / all_) if all_ else None for gone, all_ in zip(lost, begun, strict=True)]
    return {"share": float(lost.sum() / max(1.0, begun.sum())), "tenths": shares, "begun": begun.tolist()}


def _median(values: Sequence[float | None]) -> float | None:
    """None, never reached, is greater than anything."""
    middle = float(np.median([np.inf if value is None else value for value in values]))
    return None if np.isinf(middle) else middle


def tables(figures: Mapping[str, Any]) -> list[str]:
    """As Markdown: epochs to the aim by rule and workers, what so many trials found, members that were lost."""
    rules: Mapping[str, Any] = figures["rules"]
    workers = list(dict.fromkeys(count for each in rules.values() for count in each))
    epochs = [
        [rule, *(_count(each.get(count)) for count in workers), _share(np.mean([x["stopped"] for x in each.values()]))]
        for rule, each in rules.items()
    ]
    lost = [
        [rule, _share(each["share"]), *("" if t is None else _share(t) for t in each["tenths"])]
        for rule, each in figures["lost"].items()
    ]
    tenths = [f"{number}" for number in range(1, TENTHS + 1)]
    shares = [[rule, *(_found(each.get(count)) for count in workers)] for rule, each in rules.items()]
    return [
        markdown_table([f"epochs to {100 * AIM:.0f} %, by workers", *map(str, workers), "trials stopped"], epochs),
        markdown_table([f"hypervolume after {COMPARED_AT} complete trials, by workers", *map(str, workers)], shares),
        markdown_table(["front members stopped", "in all", *tenths], lost),
    ]


def _count(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return "never" if found["epochs"] is None else f"{found['epochs']:g} ({found['trials']:g} trials)"


def _found(found: Mapping[str, Any] | None) -> str:
    """Nothing where fewer were complete, as too many were stopped."""
    return "" if found is None or found["share"] is None else _share(found["share"])


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


if __name__ == "__main__":
    main()
