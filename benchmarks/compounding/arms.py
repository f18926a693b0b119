"""The arms: which study each of them is, and with which arguments it runs. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.compounding.plan import Plan, donor_epochs, trials_within
from benchmarks.pruned_by_hand.runs import TRIAL_EPOCHS
from benchmarks.real_studies.command_lines import override_arguments
from search.record.trial import POLISHED
from search.study.definition import load_study

HAND_ARMS = ("H1", "H2", "H3")
OUR_SEARCH, WISHED, ALONE, STOCK, THINNER = "S3", "S4", "X", "stock", "thin"
SEARCH_ARMS = ("S0", "S1", "S2", OUR_SEARCH, WISHED)
BUDGETED_ARMS = (OUR_SEARCH, WISHED)
"""Searches that divide their budget themselves."""
ARMS = (*HAND_ARMS, OUR_SEARCH, WISHED, "S0", "S1", "S2", ALONE, STOCK, THINNER)
"""All arms, in the order in which they run."""
POLISHED_SHARE = 0.4
"""Share of what the donors leave of the budget that polishes two networks, in searches without a division of it."""

NEEDED_ARMS: Mapping[str, Sequence[str]] = {
    "S0": HAND_ARMS,  # the latency of the best by hand chooses which networks are polished
    "S1": HAND_ARMS,
    "S2": HAND_ARMS,
    WISHED: HAND_ARMS,
    ALONE: (*HAND_ARMS, OUR_SEARCH),
    THINNER: HAND_ARMS,
}
"""Arms that must be done before an arm begins."""

ARM_TITLES: Mapping[str, str] = {
    "H1": "by hand: backbone of round 2, head of round 3, trained on",
    "H2": "by hand: round 3 of sparsity, trained on",
    "H3": "by hand: three rounds of Taylor scores, the last trained on",
    "S0": "search of grafts ordered by L2, no inheritance, two networks polished",
    "S1": "S0 with Taylor order and Taylor donors",
    "S2": "S1 with inheritance",
    "S3": "S2 with one budget: the default search",
    "S4": "S3 with a limit on latency: that of the slowest network by hand",
    "X": "the network that S3 chose, cut from the parent by Taylor scores and trained alone",
    "stock": "the parent at a smaller image size, trained on",
    "thin": "the networks by hand, cut further and trained shortly",
}
FINAL_ROWS: Mapping[str, str] = {
    "H1": "nas_final",
    "H2": f"round-3{POLISHED}",
    "H3": f"taylor-3{POLISHED}",
    ALONE: ALONE,
    STOCK: STOCK,
}
"""Name of the last row of an arm that ends with one network."""
TRAINED_ON: Mapping[str, str] = {"H2": "round-3", "H3": "taylor-3"}
"""Name of the row that an arm trains on until the budget is used up."""

OLD_SPACE = "{type: graft, low: 0.5, high: 1.0, step: 0.125, multiple: 8, criterion: l2}"
"""Space of `nas_head` before training added up."""
WITHOUT_CONTROLS = {"controls": "[]"}
"""Controls are left out: a search would learn from them, and their training is no part of the budget."""
ONE_EPOCH_EACH = {f"donors.{name}.also": "null" for name in ("one-shot", "round-2", "round-3")}
ONE_EPOCH_EACH_TAYLOR = {f"donors.taylor-{number}.also": "null" for number in (1, 2, 3)}
"""Overrides that leave out the rows of the best F1, which no arm uses."""


@dataclass(frozen=True)
class ArmStudy:
    """The study of an arm: its YAML, and the arguments of `search.run` beside data, parent and seed."""

    yaml: str
    arguments: Sequence[str]


def database_of(arm: str) -> str:
    """Return the stem of an arm's database. The arms by hand share one, so that they share rounds.

    A search has its own, because it would learn from the trainings of another one.
    """
    return "by_hand" if arm in HAND_ARMS else arm


def rounds_epochs(plan: Plan) -> int:
    """Return the epochs of the rounds of sparsity."""
    return donor_epochs(load_study("imp", [f"scale={plan.hand_scale}"]))


def arm_study(arm: str, plan: Plan) -> ArmStudy:
    """Return the study of an arm.

    Raises:
        ValueError: If the budget is too small for the arm.
    """
    if arm in HAND_ARMS:
        return _study_by_hand(arm, plan)
    if arm in SEARCH_ARMS:
        return _search_study(arm, plan)
    recipe = {"epochs": plan.budget, "imgsz": plan.smaller_px}
    stock = [{"name": STOCK, "from": "parent", "ratio": 1.0, "recipe": recipe}] if arm == STOCK else []
    return parent_study({"controls": json.dumps(stock)})


def parent_study(overrides: Mapping[str, str]) -> ArmStudy:
    """Return the study of a parent without donors and controls, changed by further overrides."""
    values = {"donors": "[]", **WITHOUT_CONTROLS, **overrides}
    return ArmStudy("imp", (*override_arguments(values), "--n-trials", "0"))


def _study_by_hand(arm: str, plan: Plan) -> ArmStudy:
    scale = {"scale": str(plan.hand_scale)}
    if arm == "H3":
        return ArmStudy("taylor_rounds", override_arguments({**scale, **ONE_EPOCH_EACH_TAYLOR, **WITHOUT_CONTROLS}))
    left = plan.budget - rounds_epochs(plan)
    if left < 1:
        raise ValueError(f"the budget is {plan.budget} epochs; the rounds alone take {plan.budget - left}")
    grafted = {"name": "nas_final", "graft": {"backbone": "round-2", "head": "round-3"}, "recipe": {"epochs": left}}
    controls = {"controls": json.dumps([grafted] if arm == "H1" else [])}
    return ArmStudy("imp", override_arguments({**scale, **ONE_EPOCH_EACH, **controls}))


def _search_study(arm: str, plan: Plan) -> ArmStudy:
    scale = {"scale": str(plan.search_scale), **WITHOUT_CONTROLS}
    if arm in BUDGETED_ARMS:
        return ArmStudy("nas_head", (*override_arguments(scale), "--budget", f"{plan.budget}epochs"))
    yaml = "imp" if arm == "S0" else "nas_head"
    changes = {"space": OLD_SPACE, **ONE_EPOCH_EACH} if arm == "S0" else {}
    inherits = {"inherit": "true" if arm == "S2" else "false"}
    donors = donor_epochs(load_study(yaml, [f"scale={plan.search_scale}"]))
    trials = trials_within(plan.budget - donors, TRIAL_EPOCHS, POLISHED_SHARE)
    arguments = override_arguments({**scale, **changes, **inherits, "recipe.epochs": str(TRIAL_EPOCHS)})
    return ArmStudy(yaml, (*arguments, "--n-trials", str(trials)))
