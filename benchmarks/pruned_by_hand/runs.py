"""Runs of `benchmarks.by_hand` on one data set: studies by hand, then searches with as many epochs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pruned_by_hand.made_networks import (
    COMPARED_STUDIES,
    DENSE_SEARCH,
    GRAFT_SEARCH,
    HAND_GRAFT_STUDY,
    LEVELS_STUDY,
    ROUNDS_STUDY,
    best_by_hand,
    epochs_by_hand,
    epochs_searched,
    find_findings,
    front_members_below,
    known_findings,
    latency_ms_of,
)
from benchmarks.real_studies.command_lines import override_arguments, run_command
from search.record.trial import TrialRecord
from search.study.definition import load_study

TRIAL_EPOCHS, TRIAL_BATCH = 8, 16
GRAFT_TRIALS = 12
POLISHED_TRIALS, POLISH_EPOCHS = 2, 4 * TRIAL_EPOCHS
DENSE_CONTROLS = (
    "[{name: uniform-0.75, from: parent, ratio: 0.75}, {name: uniform-0.5, from: parent, ratio: 0.5}, "
    f"{{name: cut-95, from: parent, ratio: 0.2, recipe: {{epochs: {3 * TRIAL_EPOCHS}}}}}]"
)
"""Controls of the search from the dense parent."""


@dataclass(frozen=True)
class DataSetRuns:
    """The runs of one data set.

    Attributes:
        data: YAML of the data set; None for the one that a study names.
        model: Weights to start from; None for those that a study names.
        imgsz: Image size in px; None for that of a study.
    """

    project: Path
    data: Path | None = None
    model: Path | None = None
    imgsz: int | None = None

    def run_all(self, scale: float) -> None:
        """Run the studies by hand, the searches, and the longer training of some networks of each.

        Args:
            scale: Share of the epochs by hand that is trained.
        """
        scaled = override_arguments({"scale": str(scale)})
        trials = ("--epochs", str(TRIAL_EPOCHS), "--batch", str(TRIAL_BATCH))
        self.run(ROUNDS_STUDY, *scaled)
        self.run(GRAFT_SEARCH, *scaled, *trials, "--n-trials", str(GRAFT_TRIALS))
        self.run(HAND_GRAFT_STUDY, *scaled, *trials)
        study, best = best_by_hand(self.project)
        self._polish_front(GRAFT_SEARCH, latency_ms_of(best))
        rounds = load_study(ROUNDS_STUDY, [f"scale={scale}"])
        overrides = {
            "parent.recipe": json.dumps(rounds.parent.recipe.as_plain()),
            "controls": DENSE_CONTROLS,
            "limits.latency_ms": f"{latency_ms_of(best):.4g}",
        }
        dense_trials = int(epochs_by_hand(rounds) - POLISHED_TRIALS * POLISH_EPOCHS) // TRIAL_EPOCHS
        self.run(DENSE_SEARCH, *override_arguments(overrides), *trials, "--n-trials", str(dense_trials))
        self._polish_front(DENSE_SEARCH, latency_ms_of(best))
        self.polish(study, [best], epochs_searched(known_findings(self.project, GRAFT_SEARCH)))

    def run_levels(self) -> None:
        """Run `prune_levels`."""
        self.run(LEVELS_STUDY)

    def run(self, study: str, *more: str) -> None:
        """Run a study, or continue it."""
        given = {"--data": self.data, "--model": self.model, "--imgsz": self.imgsz}
        inputs = [part for name, value in given.items() if value is not None for part in (name, str(value))]
        run_command("search.run", study, self.project, ["--name", study, "--no-confirm", *more, *inputs])

    def polish(self, study: str, records: Sequence[TrialRecord], epochs: int) -> None:
        """Train some of a study's networks further."""
        names = ",".join(record.name for record in records)
        run_command("search.polish", study, self.project, ["--records", names, "--epochs", str(epochs)])

    def confirm(self, studies: Iterable[str] = (*COMPARED_STUDIES, LEVELS_STUDY)) -> None:
        """Re-measure the front of each study that was run."""
        for study in studies:
            if find_findings(self.project, study) is not None:
                run_command("search.confirm", study, self.project)

    def _polish_front(self, study: str, limit_ms: float) -> None:
        members = front_members_below(known_findings(self.project, study), limit_ms)
        self.polish(study, members[:POLISHED_TRIALS], POLISH_EPOCHS)
