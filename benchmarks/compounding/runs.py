"""Runs of the arms of one data set and seed, by the command lines of the project. Each can be killed and continued."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compounding.arm_records import ArmRecords, mark_file, ratio_of, read_arm, storage_of
from benchmarks.compounding.arms import (
    ALONE,
    ARMS,
    BUDGETED_ARMS,
    HAND_ARMS,
    NEEDED_ARMS,
    OUR_SEARCH,
    SEARCH_ARMS,
    THINNER,
    TRAINED_ON,
    WISHED,
    ArmStudy,
    arm_study,
    parent_study,
)
from benchmarks.compounding.plan import Plan
from benchmarks.compounding.race import race_networks
from benchmarks.pruned_by_hand.made_networks import accuracy_of, front_members_below
from benchmarks.pruned_by_hand.runs import POLISHED_TRIALS
from benchmarks.real_studies.command_lines import override_arguments, run_command
from search.findings.study_results import read_study_results
from search.record.latency_text import LATENCY
from search.record.number_text import duration
from search.record.trial import TrialRecord
from search.store.sql import open_store
from search.study.rows import PARENT_NAME
from spaces.durable import write_text

PARENT_STUDY = "parent"


@dataclass(frozen=True)
class SeedRuns:
    """The runs of one data set and seed.

    Attributes:
        folder: Run folder of all arms: databases, weights, data.
    """

    plan: Plan
    folder: Path

    def run(self, arms: Sequence[str], minutes: float) -> None:
        """Run the arms that are missing, in the order of `ARMS`; none begins after a number of minutes."""
        began = time.monotonic()
        for arm in (arm for arm in ARMS if arm in arms and not self.is_done(arm)):
            needed = [each for each in NEEDED_ARMS.get(arm, ()) if not self.is_done(each)]
            if time.monotonic() - began > 60 * minutes:
                print(f"{arm} was not begun: {minutes:g} minutes are over; the same command continues", flush=True)
            elif needed:
                print(f"{arm} was not begun: it needs {', '.join(needed)} first", flush=True)
            else:
                print(f"{self.plan.name}, seed {self.plan.seed}: {arm}", flush=True)
                self.run_arm(arm)

    def run_arm(self, arm: str) -> None:
        """Run an arm to its end, or continue it."""
        if arm == ALONE:
            self._run_study(arm, arm_study(arm, self.plan))
            self._train_alone()
        elif arm == THINNER:
            self._run_study(arm, arm_study(arm, self.plan))
            self._train_thinner()
        elif arm == WISHED:
            self._search_below_hand()
        else:
            self._run_study(arm, arm_study(arm, self.plan))
            if arm in TRAINED_ON:
                self._train_on(arm, TRAINED_ON[arm])
            elif arm in SEARCH_ARMS and arm not in BUDGETED_ARMS:
                self._polish_two(arm)
        write_text(self.mark_of(arm), "done\n")

    def is_done(self, arm: str) -> bool:
        """Return whether an arm has ended."""
        return self.mark_of(arm).exists()

    def mark_of(self, arm: str) -> Path:
        """Return the file that says that an arm has ended."""
        return mark_file(self.folder, arm)

    def race(self) -> None:
        """Time the networks of all arms that are done in turn with each other, unless these were timed before."""
        race_networks(self, {arm: self._records(arm).networks() for arm in ARMS if self.is_done(arm)})

    def list_lines(self) -> Iterable[str]:
        """Yield a line for each arm: whether it is done, its epochs, and its seconds of work."""
        for arm in ARMS:
            found = read_arm(self.folder, arm)
            state = "done" if self.is_done(arm) else "missing" if found is None else "begun"
            spent = None if found is None else found.training()
            costs = "" if spent is None else f"{spent.epochs:4} epochs, {duration(spent.work_s)} of work"
            yield f"{self.plan.name} {self.plan.seed}  {arm:<6}{state:<8}{costs}".rstrip()

    def run_around_parent(self, name: str) -> None:
        """Begin a study that has the parent alone, for rows that are made by this benchmark."""
        self._run_study(name, parent_study({}))

    def _records(self, arm: str) -> ArmRecords:
        """Return the records of an arm that was begun.

        Raises:
            LookupError: If it was not.
        """
        found = read_arm(self.folder, arm)
        if found is None:
            raise LookupError(f"{self.folder} has no arm {arm}; run it first")
        return found

    def _parent_weights(self) -> Path:
        """Return the folder of the parent's weights, after training it unless that was done before."""
        known = read_arm(self.folder, PARENT_STUDY)
        if known is None:
            recipe = override_arguments({"parent.recipe.epochs": str(self.plan.parent_epochs)})
            study = parent_study({})
            arguments = [*study.arguments, *recipe, "--model", self.plan.model]
            self._run(PARENT_STUDY, study.yaml, arguments)
            known = self._records(PARENT_STUDY)
        return self.folder / "checkpoints" / known.parent.saved_checkpoint

    def _run_study(self, arm: str, study: ArmStudy, name: str | None = None) -> None:
        """Run a study in an arm's database; by default under the arm's name."""
        arguments = [*study.arguments, "--model", str(self._parent_weights())]
        self._run(name or arm, study.yaml, arguments, storage_of(self.folder, arm))

    def _run(self, name: str, yaml: str, arguments: Sequence[str], storage: str | None = None) -> None:
        size = [] if self.plan.imgsz is None else ["--imgsz", str(self.plan.imgsz)]
        shared = ["--storage", storage or storage_of(self.folder, name), "--name", name, "--no-confirm"]
        inputs = ["--data", self.plan.data, "--seed", str(self.plan.seed), *size]
        run_command("search.run", yaml, self.folder, [*shared, *inputs, *arguments])

    def _polish(self, arm: str, records: Sequence[TrialRecord], epochs: int) -> None:
        names = ",".join(record.name for record in records)
        arguments = ["--storage", storage_of(self.folder, arm), "--records", names, "--epochs", str(epochs)]
        run_command("search.polish", arm, self.folder, arguments)

    def _train_on(self, arm: str, name: str) -> None:
        """Train a row on for what is left of the budget."""
        row = next(record for record in self._records(arm).records if record.name == name)
        self._polish(arm, [row], epochs_left(self.plan, row.line_epochs))

    def _polish_two(self, arm: str) -> None:
        """Polish the two best networks of a search that are no slower than the best by hand, for what is left."""
        records = [record for record in self._records(arm).records if not record.is_polished]
        spent = ArmRecords(arm, tuple(records)).training().epochs
        members = self._front_as_fast_as_hand(arm)
        self._polish(arm, members, epochs_left(self.plan, spent) // len(members))

    def _search_below_hand(self) -> None:
        """Search below the latency of the slowest network by hand.

        In ms it is known once the reference network is timed for this database, which a study of the parent does.
        """
        self._run_study(WISHED, parent_study({}), name=PARENT_STUDY)
        parent = self._parent_of(WISHED, PARENT_STUDY)
        slowest = max(ratio_of(final) for final in self._finals_by_hand())
        study = arm_study(WISHED, self.plan)
        limit = override_arguments({"limits.latency_ms": f"{slowest * _reference_ms(parent):.4f}"})
        self._run_study(WISHED, ArmStudy(study.yaml, (*study.arguments, *limit)))

    def _front_as_fast_as_hand(self, arm: str) -> Sequence[TrialRecord]:
        store = open_store(storage_of(self.folder, arm))
        try:
            study = store.latest_study(arm)
            if study is None:
                raise LookupError(f"{self.folder} has no arm {arm}; run it first")
            found = read_study_results(store, study, curves=False)
        finally:
            store.close()
        parent = next(record for record in found.records if record.name == PARENT_NAME)
        return front_members_below(found, ratio_of(self._best_by_hand()) * _reference_ms(parent))[:POLISHED_TRIALS]

    def _parent_of(self, arm: str, study: str) -> TrialRecord:
        """Return the parent's row of a study in an arm's database."""
        store = open_store(storage_of(self.folder, arm))
        try:
            found = store.latest_study(study)
            records = () if found is None else store.records(found)
        finally:
            store.close()
        return next(record for record in records if record.name == PARENT_NAME)

    def _best_by_hand(self) -> TrialRecord:
        """Return the final network by hand with the best accuracy on val."""
        return max(self._finals_by_hand(), key=accuracy_of)

    def _finals_by_hand(self) -> list[TrialRecord]:
        return [final for arm in HAND_ARMS if (final := self._records(arm).final) is not None]

    def _train_alone(self) -> None:
        from benchmarks.compounding.made_rows import train_alone  # imports torch, which other arms do not need here

        best = self._best_by_hand()
        members = self._records(OUR_SEARCH).networks()
        chosen = min(members, key=lambda record: abs(ratio_of(record) / ratio_of(best) - 1))
        train_alone(self.folder, storage_of(self.folder, ALONE), chosen, {**best.recipe, "epochs": self.plan.budget})

    def _train_thinner(self) -> None:
        from benchmarks.compounding.made_rows import train_thinner  # imports torch, which other arms do not need here

        finals = {arm: final for arm in HAND_ARMS if (final := self._records(arm).final) is not None}
        train_thinner(self.folder, storage_of(self.folder, THINNER), finals, thinner_epochs(self.plan))


def _reference_ms(parent: TrialRecord) -> float:
    """Return the time of the reference network in the parent's database, in ms."""
    latency = parent.measurement(LATENCY)
    return 1.0 if latency is None else latency.value / (latency.ratio or 1.0)


def epochs_left(plan: Plan, spent: int) -> int:
    """Return the epochs that are left of the budget; at least one.

    Raises:
        ValueError: If nothing is left.
    """
    if spent >= plan.budget:
        raise ValueError(f"the budget is {plan.budget} epochs, and {spent} are spent before the last training")
    return plan.budget - spent


def thinner_epochs(plan: Plan) -> int:
    """Return the epochs of the short fine-tuning of a thinner cut."""
    return max(2, round(plan.budget / 12))
