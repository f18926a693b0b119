"""Problems for the prior mean: each is searched without one, with one learnt elsewhere, and with one that misleads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from benchmarks.searching.methods import search_by_ours
from benchmarks.searching.table_figures import HYPERVOLUME_GOALS, goal_name, trainings_until
from benchmarks.searching.yolobench import ACCURACY_FILES, SizedProblem
from benchmarks.setup.markdown import markdown_table
from benchmarks.setup.results import split_key
from search.sampler.prior_mean import PriorMean, fit_prior_mean

OTHER_TABLE, FOUR_FAMILIES, ONE_FAMILY = "the other table", "other families, for four", "other families, for one family"
"""What the prior mean is learnt from. Families are left out of the other table where the problem has them alone."""
CASES = (OTHER_TABLE, FOUR_FAMILIES, ONE_FAMILY)
ARMS = ("none", "prior mean", "shuffled")
"""Prior means: none; learnt elsewhere; learnt elsewhere, with the expected accuracies of all detectors shuffled."""
SEARCHED_SHARE = 0.75
"""Share of the detectors that a seed searches; with a prior mean, all seeds would otherwise begin alike."""
MAX_TRAININGS = 120
"""Maximum trainings of a search."""


class MisledProblem(SizedProblem):
    """A table whose prior mean says nothing about it."""

    @property
    def expected(self) -> Any:
        """Return the expected accuracies in an order that means nothing."""
        expected = super().expected
        return None if expected is None else np.random.default_rng(len(expected)).permutation(expected)


def data_of(problem: SizedProblem) -> str:
    """Return the name of a problem's data set."""
    return problem.name.rpartition(", ")[0]


def learnt_elsewhere(
    problems: Sequence[SizedProblem], data: str, left_out: Collection[str] = (), source: str = ""
) -> PriorMean:
    """Fit the prior mean to the VOC tables other than `data`, without the families that are left out."""
    others = {data_of(each): each for each in problems if data_of(each) in ACCURACY_FILES and data_of(each) != data}
    return fit_prior_mean([_families(each, left_out, keep=False).as_finished for each in others.values()], source)


def run_case(
    problems: Sequence[SizedProblem], place: int, case: str, arm: str, seed: int
) -> Mapping[str, Mapping[str, float]]:
    """Search a part of a problem, drawn by the seed; return the trainings needed for each share of the hypervolume."""
    random, whole = np.random.default_rng(seed), problems[place]
    families = whole.choices["family"]
    drawn = [str(name) for name in random.permutation(families)]
    unseen = {OTHER_TABLE: [], FOUR_FAMILIES: drawn[: len(drawn) // 2], ONE_FAMILY: [families[seed % len(families)]]}[
        case
    ]
    problem = _families(whole, unseen, keep=True) if unseen else whole
    count = len(problem.latency)
    problem = problem.part(sorted(random.permutation(count)[: round(SEARCHED_SHARE * count)]))
    learnt = None if arm == ARMS[0] else learnt_elsewhere(problems, data_of(whole), unseen)
    problem = replace(problem, prior=learnt)
    if arm == ARMS[2]:
        problem = MisledProblem(**{each.name: getattr(problem, each.name) for each in fields(problem)})
    order = search_by_ours(problem, seed, min(MAX_TRAININGS, len(problem.latency)))
    shares = problem.hypervolume_shares(order).tolist()
    return {"needed": {goal_name(goal): trainings_until(shares, goal) for goal in HYPERVOLUME_GOALS}}


def _families(problem: SizedProblem, families: Collection[str], *, keep: bool) -> SizedProblem:
    """Return the part of a problem with these families alone, or without them."""
    return problem.part([i for i, point in enumerate(problem.params) if (point["family"] in families) == keep])


def cases_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of mean trainings by what was learnt from, problem and arm: `20.3 / 36.1`."""
    runs: dict[tuple[str, ...], list[list[float]]] = {}
    for key, result in found.items():
        runs.setdefault(split_key(key)[:-1], []).append(list(result["needed"].values()))
    rows = list(dict.fromkeys(key[:2] for key in runs))
    lines = [[case, name, *(_means(runs[case, name, arm]) for arm in ARMS)] for case, name in rows]
    for case in dict.fromkeys(case for case, _ in rows):
        whole = [[each for key in runs if key[0] == case and key[2] == arm for each in runs[key]] for arm in ARMS]
        lines.append([case, "all", *map(_means, whole)])
    return markdown_table(["prior mean learnt from", "problem", *ARMS], lines)


def _means(runs: Sequence[Sequence[float]]) -> str:
    return " / ".join(f"{each:.1f}" for each in np.minimum(np.array(runs), MAX_TRAININGS).mean(axis=0))
