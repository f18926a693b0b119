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
from search.sampler.prior_mean import FinishedStudy, NetworkSizes, PriorMean, fit_prior_mean

OTHER_TABLE, FOUR_FAMILIES, ONE_FAMILY = "the other table", "other families, for four", "other families, for one family"
"""Sources of the prior mean. In the last two, the families of the searched problem are left out of the source."""
OWN_STUDIES = "three small studies, for one family"
"""One more source: three studies of `STUDY_TRIALS` random detectors, each of one other family of the other table."""
CASES = (OTHER_TABLE, FOUR_FAMILIES, ONE_FAMILY, OWN_STUDIES)
PRIOR_ARMS = ("none", "prior mean", "shuffled")
"""Prior means: none; learnt elsewhere; learnt elsewhere, with the expected accuracies of all detectors shuffled."""
SEARCHED_SHARE = 0.75
"""Share of the detectors that a seed searches; with a prior mean, all seeds would otherwise begin alike."""
STUDIES, STUDY_TRIALS = 3, 20
"""Number of small studies that a prior mean is learnt from, and of their trials."""
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


def learnt_from_studies(
    problems: Sequence[SizedProblem], data: str, left_out: Collection[str], random: np.random.Generator
) -> PriorMean:
    """Fit the prior mean to small studies of one family each: as those of a database, they name no families."""
    other = next(each for each in problems if data_of(each) in ACCURACY_FILES and data_of(each) != data)
    names = random.permutation([name for name in other.choices["family"] if name not in left_out])[:STUDIES]
    whole = [_families(other, [str(name)], keep=True) for name in names]
    drawn = [each.part(sorted(random.permutation(len(each.latency))[:STUDY_TRIALS])) for each in whole]
    return fit_prior_mean([FinishedStudy(NetworkSizes(each.sizes.logarithms), each.accuracy) for each in drawn])


def run_case(
    problems: Sequence[SizedProblem], place: int, case: str, arm: str, seed: int
) -> Mapping[str, Mapping[str, float]]:
    """Search a part of a problem, drawn by the seed; return the trainings needed for each share of the hypervolume."""
    random, whole = np.random.default_rng(seed), problems[place]
    families = whole.choices["family"]
    drawn = [str(name) for name in random.permutation(families)]
    half, one = drawn[: len(drawn) // 2], families[seed % len(families)]
    unseen = {OTHER_TABLE: [], FOUR_FAMILIES: half}.get(case, [one])
    problem = _families(whole, unseen, keep=True) if unseen else whole
    count = len(problem.latency)
    problem = replace(problem, prior=None).part(sorted(random.permutation(count)[: round(SEARCHED_SHARE * count)]))
    if arm != PRIOR_ARMS[0]:
        elsewhere = problems, data_of(whole), unseen
        own = case == OWN_STUDIES
        prior = learnt_from_studies(*elsewhere, random) if own else learnt_elsewhere(*elsewhere)
        problem = replace(problem, prior=prior)
    if arm == PRIOR_ARMS[2]:
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
    lines = [[case, name, *(_means(runs[case, name, arm]) for arm in PRIOR_ARMS)] for case, name in rows]
    for case in dict.fromkeys(case for case, _ in rows):
        whole = [[each for key in runs if key[0] == case and key[2] == arm for each in runs[key]] for arm in PRIOR_ARMS]
        lines.append([case, "all", *map(_means, whole)])
    return markdown_table(["prior mean learnt from", "problem", *PRIOR_ARMS], lines)


def _means(runs: Sequence[Sequence[float]]) -> str:
    return " / ".join(f"{each:.1f}" for each in np.minimum(np.array(runs), MAX_TRAININGS).mean(axis=0))
