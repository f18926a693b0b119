"""Train a network of a study further. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from objectives.recipe import Recipe
from search.prepare.row_training import RowTrainer, key_of
from search.record.events import Say
from search.record.trial import POLISHED, TrialRecord
from search.trial.plan import excess_over
from search.trial.workbench import Workbench


@dataclass(frozen=True)
class Polisher:
    """Trains networks of one study further, with its parent, data and target.

    Attributes:
        limits: Upper limits of the study.
    """

    bench: Workbench
    limits: Mapping[str, float]
    say: Say

    def polish(self, member: TrialRecord, epochs: int) -> TrialRecord:
        """Train a member's network further by its own recipe, and return its new row."""
        recipe = Recipe.from_plain({**member.recipe, "epochs": epochs})
        candidate = self.bench.checkpoints.get(member.saved_checkpoint)
        rows = RowTrainer(bench=self.bench, say=self.say)
        (row,) = rows.train(
            member.name + POLISHED, candidate, recipe, lineage=member.name, inherited=False, ancestors=member.line
        )
        row = replace(row, measurements=(*row.measurements, *self.bench.latencies.measure_further(candidate)))
        made_from = key_of(
            kind="polish", checkpoint=member.checkpoint, recipe=recipe.as_plain(), seed=self.bench.training.seed
        )
        return replace(row, identity=made_from, constraints=excess_over(self.limits, row.measurements))
