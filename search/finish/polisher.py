"""Train a network of a study further. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from objectives.device.target import Target
from objectives.recipe import Recipe
from search.prepare.inputs import check_device
from search.prepare.preparation import Preparation, Setting
from search.prepare.row_training import RowTrainer, key_of
from search.record.events import Say
from search.record.folders import RunFolder
from search.record.trial import POLISHED, TrialRecord
from search.store.base import Store, StudyEntry
from search.study.definition import StudyDefinition, stored_definition
from search.study.faults import DefinitionError
from search.trial.plan import excess_over
from search.trial.workbench import Workbench


@dataclass(frozen=True)
class Polisher:
    """Trains networks of one study further, with its parent, data and target."""

    bench: Workbench
    definition: StudyDefinition
    say: Say

    @staticmethod
    @contextmanager
    def open(
        store: Store, study: StudyEntry, folder: RunFolder, device: str, scratch: Path, say: Say
    ) -> Iterator[Polisher]:
        """Open the study's data, parent and target.

        Raises:
            DefinitionError: If the device does not exist, or data or target are not those of the study.
        """
        check_device(device)
        definition = stored_definition(study.name, study.definition)
        setting = Setting(folder=folder, device=device, scratch=scratch)
        preparation = Preparation(definition=definition, store=store, setting=setting, say=say)
        inputs = preparation.read_inputs()
        with preparation.open_workbench(inputs) as bench:
            here = {"data": inputs.data.key, "target": bench.latencies.target.key}
            changed = [name for name, key in here.items() if study.frozen.get(name, key) != key]
            if changed:
                raise DefinitionError(_refusal(study, definition, store, bench.latencies.target, changed))
            trained = bench.checkpoints.get(study.frozen["parent"])
            yield Polisher(bench.with_parent(bench.parent.with_weights(trained)), definition, say)

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
        return replace(row, identity=made_from, constraints=excess_over(self.definition.upper_limits, row.measurements))


def _refusal(
    study: StudyEntry, definition: StudyDefinition, store: Store, target: Target, changed: Sequence[str]
) -> str:
    """Return the refusal of a study whose data or target is another than when it was begun."""
    reasons = []
    if "data" in changed:
        reasons.append(f"data '{definition.data.source}' has other content now: put its files back as they were")
    if "target" in changed:
        stored = store.target(study.frozen["target"])
        then, now = {} if stored is None else stored.description, target.description()
        differ = [f"{each}: {then.get(each)} then, {now[each]} now" for each in now if then.get(each) != now[each]]
        reasons.append(f"its target is another ({'; '.join(differ)}): polish it on the machine where it ran")
    return f"study '{study.sampler_name}' cannot be polished: {'; '.join(reasons)}"
