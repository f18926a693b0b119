"""The division of a budget and the repeated trainings, before a study begins: for `--dry-run` and `--print-config`."""

from __future__ import annotations

from objectives.recipe import Recipe
from search.prepare.sensitivity_analysis import fewest_epochs
from search.record.ancestors import Ancestor
from search.record.latency_text import LATENCY
from search.record.trial import Outcome, TrialRecord
from search.study.budget import parse_budget
from search.study.definition import StudyDefinition
from search.study.rows import RowSection
from search.trial.spending import Spending


def budget_text(definition: StudyDefinition, repeats: int, epoch_s: float | None = None) -> str:
    """Return how the study divides its budget, and how many trainings it repeats; empty if it does neither.

    Args:
        epoch_s: Seconds of an epoch; without them the division of a budget of time is not known.
    """
    if definition.budget is None:
        return f"then {repeats} repeated training{'s' * (repeats > 1)}, to tell the noise" if repeats else ""
    if parse_budget(definition.budget).epochs is None and epoch_s is None:
        again = f", {repeats} repeated training{'s' * (repeats > 1)} included" if repeats else ""
        return f"budget of {definition.budget} of work{again}: --dry-run estimates how it is divided"
    return spending_of(definition, definition.budget, repeats).plan_text(expected_rows(definition, epoch_s or 0.0))


def spending_of(definition: StudyDefinition, budget: str, repeats: int) -> Spending:
    """Return the division of a study's budget, such as `300epochs` or `2h`.

    Raises:
        FieldFault: If the budget is neither epochs nor a time.
    """
    fixed = int(definition.recipe.fixed.get("epochs", Recipe().epochs))
    names = (donor.name for donor in definition.donors)
    donors = frozenset[str]() if definition.copied_from else frozenset(names)  # copies cost no training
    epochs = fewest_epochs(fixed, definition.recipe.searched)
    return Spending(parse_budget(budget), donors, epochs, repeats, LATENCY in definition.upper_limits)


def expected_rows(definition: StudyDefinition, epoch_s: float = 0.0) -> tuple[TrialRecord, ...]:
    """Return records of the donors as they will be: only names, epochs and seconds are set."""
    return tuple(_expected_row(definition, donor, epoch_s) for donor in definition.donors)


def _expected_row(definition: StudyDefinition, donor: RowSection, epoch_s: float) -> TrialRecord:
    epochs = int(definition.recipe_of(donor).get("epochs", Recipe().epochs))
    sparse = 0 if donor.threshold is None else int(definition.sparse_recipe_of(donor).get("epochs", Recipe().epochs))
    return TrialRecord(
        number=None,
        name=donor.name,
        outcome=Outcome.COMPLETE,
        reason="",
        params={},
        spec=None,
        origin=None,
        identity=donor.name,
        recipe={"epochs": epochs},
        seed=definition.seed,
        checkpoint=donor.name,
        ancestors=(Ancestor(f"{donor.name} sparse", f"{donor.name} sparse", sparse),) if sparse else (),
        seconds={"training": (epochs + sparse) * epoch_s},
    )
