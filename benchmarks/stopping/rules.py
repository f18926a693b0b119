"""The compared stopping rules, and one simulated study with a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from benchmarks.searching.digits_table import VariantProblem
from benchmarks.stopping.simulated_workers import SimulatedStudy
from search.record.trial import Outcome, TrialRecord
from search.trial.front_rule import FrontRule
from search.trial.stopping import NeverStop, RunningTrial, StoppingRule
from search.trial.successive_halving import MoAsha

STOPPING_GOAL = 0.98
"""Share of the best hypervolume at which a simulated study ends."""
COMPLETE_TRIALS = 50
"""Complete trials after which one worker and several are compared."""
LATENCY_PARTS = 10
FRONT_RULE = "front"


@final
@dataclass(frozen=True)
class MedianStopping(StoppingRule):
    """Stops a trial below the median mAP at its epoch, whatever its latency: the common rule for one objective.

    Source: Golovin et al., Google Vizier, KDD 2017, section 3.2.2; Optuna's `MedianPruner`, from its fifth trial on.

    Attributes:
        min_complete: Complete trials before any trial is stopped.
    """

    min_complete: int = 5
    name = "median of mAP"

    def judge(self, trial: RunningTrial, others: Sequence[TrialRecord]) -> str:
        """See `StoppingRule`."""
        complete = [record for record in others if record.outcome is Outcome.COMPLETE]
        if len(complete) < self.min_complete:
            return ""
        same = [result.map50_95 for record in complete for result in record.rungs if result.epoch == trial.epoch]
        return "below the median" if same and max(each.map50_95 for each in trial.curve) < np.median(same) else ""


COMPARED_RULES: Mapping[str, tuple[StoppingRule, bool]] = {
    "none": (NeverStop(), False),
    FRONT_RULE: (FrontRule(), False),
    "front, from before training": (FrontRule(), True),
    "mo-asha": (MoAsha(), False),
    "median of mAP": (MedianStopping(), False),
}
"""The rules, each with True if trials are scored before their training too."""


def simulate_study(problem: VariantProblem, rule: str, workers: int, seed: int) -> dict[str, Any]:
    """Run one simulated study; return its figures.

    `members` are the started trials on the true front, `lost` those of them that were stopped; each is given as its
    tenth of the latency range.
    """
    stopping, before = COMPARED_RULES[rule]
    problem = problem.draw(seed)
    study = SimulatedStudy(
        problem,
        stopping,
        workers=workers,
        seed=seed,
        before=before,
        goals=(STOPPING_GOAL,),
        min_complete=COMPLETE_TRIALS,
    )
    run = study.run()
    epochs, trials = run.reached.get(STOPPING_GOAL, (None, None))
    front, parts = set(problem.front), problem.latency_parts(LATENCY_PARTS)
    return {
        "epochs": epochs,
        "trials": trials,
        "members": [int(parts[each]) for each in run.started if each in front],
        "lost": [int(parts[each]) for each in run.stopped if each in front],
        "stopped": len(run.stopped),
        "begun": len(run.started),
        "share": run.shares[COMPLETE_TRIALS - 1] if len(run.shares) >= COMPLETE_TRIALS else None,
    }
