"""Train a trial once more with another seed, from the same start. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from objectives.recipe import Recipe
from search.prepare.row_training import RowTrainer
from search.record.events import Say
from search.record.trial import REPEATED, TrialRecord
from search.trial.plan import excess_over
from search.trial.workbench import Workbench
from spaces.base import PARENT, SCRATCH, Candidate, SpaceError

OTHER_SEED = 1000
"""Added to the trial's seed. A line of trainings adds only the number of its ancestors, so none has the same seed."""


@dataclass(frozen=True)
class Repeater:
    """Repeats trials of one study, with its parent, data and target.

    Attributes:
        limits: Upper limits of the study.
    """

    bench: Workbench
    limits: Mapping[str, float]
    say: Say

    def repeat(self, trial: TrialRecord) -> TrialRecord:
        """Train a trial's network once more, and return its new row.

        Raises:
            SpaceError: If the record has no network.
            CheckpointError: If weights that the trial began with are missing or damaged.
        """
        candidate, continues = self._start(trial)
        (row,) = RowTrainer(bench=self.bench, say=self.say).train(
            trial.name + REPEATED,
            candidate,
            Recipe.from_plain(trial.recipe),
            lineage=trial.lineage,
            inherited=not continues,
            ancestors=trial.ancestors,
            seed=trial.seed + OTHER_SEED,
        )
        row = replace(row, measurements=(*row.measurements, *self.bench.latencies.measure_further(candidate)))
        return replace(row, constraints=excess_over(self.limits, row.measurements))

    def _start(self, trial: TrialRecord) -> tuple[Candidate, bool]:
        """Return the network with the weights that the trial began with, and whether it was trained before as it is."""
        if trial.spec is None or trial.origin is None:
            raise SpaceError(f"'{trial.name}' has no network; it cannot be trained once more")
        stored = [source for source in trial.origin.sources if source not in (PARENT, SCRATCH)]
        sources = {source: self.bench.checkpoints.get(source) for source in stored}
        continues = trial.lineage is not None and any(each.spec == trial.spec for each in sources.values())
        return self.bench.parent.build(trial.spec, trial.origin, sources), continues
