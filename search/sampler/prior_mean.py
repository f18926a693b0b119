"""The prior mean: how accuracy depends on depth, width, image size and family, learnt from finished studies.

It is a smooth form, so that it holds for other data, other families and longer trainings too, up to an offset and a
scale that the accuracy model learns: a square polynomial of the logarithms, and an effect of each family that is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np

from search.record.staircase import Values
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.trial.plan import SearchPlan
from search.trial.trained_networks import is_alike
from spaces.base import ArchSpec, Categorical, ParameterRole

SIZES = ("depth", "width", "imgsz")
"""Names of the sizes, in the order of the columns of `NetworkSizes.logarithms`."""
RIDGE = 0.03
"""Penalty of the squared coefficients, for one training. Chosen on one published table, with another one to learn from.
"""
PUBLIC_TABLES = "prior_mean_yolobench.json"
"""Name of the file with the form that was fitted to published tables."""

IMGSZ = "recipe.imgsz"
"""Name of the parameter that sets the image size."""
MIN_TRIALS = 10
"""Minimum number of trained trials of a study that is learnt from."""
MIN_TRAININGS = 40
"""Minimum number of trainings that the prior mean is fitted to, four for each coefficient."""
BOTTLENECK = re.compile(r"(model\.\d+\.m\.\d+)\.")
"""Name of a bottleneck, at the beginning of the name of a channel group inside it."""


class NetworkSizes(NamedTuple):
    """Sizes of M networks. Factors that all networks of a study share make no difference.

    Attributes:
        logarithms: Logarithms of depth, width and image size, shape (M, 3).
        families: Name of each network's family; empty where families are not told apart.
    """

    logarithms: Values
    families: Sequence[str] = ()

    @property
    def terms(self) -> Values:
        """The logarithms, their squares and their products, shape (M, 9)."""
        columns = self.logarithms.T
        return np.column_stack([*columns, *(a * b for a, b in combinations_with_replacement(columns, 2))])

    def belong(self, families: Sequence[str]) -> Values:
        """Return 1 where a network is of a family and 0 elsewhere, shape (M, F)."""
        own = np.array(self.families or [""] * len(self.logarithms))
        return np.column_stack([own == name for name in families] or [np.zeros((len(own), 0))]).astype(np.float64)


class FinishedStudy(NamedTuple):
    """Networks of a finished study or a published table, to learn from: N sizes, and their accuracy, shape (N,).

    Attributes:
        training: Logarithm of the training behind each, shape (N,); None if all are trained equally.
    """

    sizes: NetworkSizes
    accuracy: Values
    training: Values | None = None


@dataclass(frozen=True)
class PriorMean:
    """Expected accuracy of untrained networks, in standard deviations of a study, with an unknown offset.

    Attributes:
        terms: Coefficient of each of `NetworkSizes.terms`.
        families: Effect of each family that is known; others have none.
        source: Studies or tables that it was fitted to, in words.
    """

    terms: tuple[float, ...]
    families: Mapping[str, float] = field(default_factory=dict)
    source: str = ""

    def expect(self, sizes: NetworkSizes) -> Values:
        """Return the expected accuracy of M networks, shape (M,)."""
        effects = np.array(list(self.families.values()))
        expected: Values = sizes.terms @ np.array(self.terms) + sizes.belong(list(self.families)) @ effects
        return expected

    def as_plain(self) -> dict[str, Any]:
        """Return it as JSON holds it: each coefficient by its name."""
        rounded = {name: round(value, 4) for name, value in zip(_term_names(), self.terms, strict=True)}
        families = {name: round(value, 4) for name, value in self.families.items()}
        return {"source": self.source, "terms": rounded, "families": families}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> PriorMean:
        """Return what `as_plain` returned."""
        terms = tuple(float(plain["terms"][name]) for name in _term_names())
        return cls(terms, dict(plain["families"]), plain["source"])


def fit_prior_mean(studies: Sequence[FinishedStudy], source: str = "") -> PriorMean:
    """Fit the form to finished studies by ridge regression; each may have its own offset and its own scale.

    The effect of longer training is fitted too, so that sizes do not get the credit for it, and then left out.

    Source: Hoerl and Kennard, Ridge Regression, Technometrics 12 (1970).
    """
    families = sorted({name for study in studies for name in study.sizes.families})
    columns, accuracy = [], []
    for study in studies:
        training = np.zeros(len(study.accuracy)) if study.training is None else study.training
        described = np.column_stack([study.sizes.terms, study.sizes.belong(families), training])
        columns.append(described - described.mean(axis=0))
        accuracy.append((study.accuracy - study.accuracy.mean()) / max(float(study.accuracy.std()), 1e-6))
    x, y = np.vstack(columns), np.concatenate(accuracy)
    found = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ y).tolist()
    terms = len(_term_names())
    return PriorMean(tuple(found[:terms]), dict(zip(families, found[terms:-1], strict=True)), source)


def prior_of_public_tables() -> PriorMean:
    """Return the form that was fitted to the published tables; its file names them, with their licence."""
    text = files("search.sampler").joinpath(PUBLIC_TABLES).read_text(encoding="utf-8")
    return PriorMean.of_plain(json.loads(text))


def searches_size(plan: SearchPlan) -> bool:
    """Return whether image size or depth is searched: effects that no analysis of the parent's layers tells."""
    return IMGSZ in plan.parameters or any(each.role is ParameterRole.DEPTH for each in plan.parameters.values())


def prior_of_studies(store: Store, study: StudyEntry, plan: SearchPlan) -> PriorMean | None:
    """Fit the prior mean to the other studies of a database; None if no size is searched, or they are too few.

    Studies with the same parent and data are left out: the accuracy model learns from their trainings themselves.
    """
    if not searches_size(plan):
        return None
    others = [other for other in store.studies() if other.id != study.id and not is_alike(other, study)]
    taught = [_taught(store.records(other), study.objectives[0][0]) for other in others]
    enough = [each for each in taught if len(each.accuracy) >= MIN_TRIALS]
    if sum(len(each.accuracy) for each in enough) < MIN_TRAININGS:
        return None
    return fit_prior_mean(enough, f"{len(enough)} studies of the database")


def sizes_of(specs: Sequence[ArchSpec], px: Sequence[int], largest_px: float) -> NetworkSizes:
    """Return the sizes of M cuts of one parent, as shares: of the parent's, and of the study's largest image size.

    Width is the geometric mean of the shares of channels that the groups keep.
    """
    width = [np.log(np.array(list(map(len, spec.kept))) / np.array(spec.widths)).mean() for spec in specs]
    return NetworkSizes(np.column_stack([list(map(_log_depth, specs)), width, np.log(np.array(px) / largest_px)]))


def largest_px_of(plan: SearchPlan) -> float:
    """Return the largest image size that a study can train at."""
    searched = plan.parameters.get(IMGSZ)
    if searched is None:
        return float(plan.recipe.imgsz)
    return max(map(float, searched.options)) if isinstance(searched, Categorical) else float(searched.high)


def _log_depth(spec: ArchSpec) -> float:
    """Return the logarithm of the share of bottlenecks that a network keeps; 0 if the parent has none."""
    return float(np.log1p(-len(spec.dropped) / (_count_bottlenecks(spec.groups) + 1)))


@lru_cache
def _count_bottlenecks(groups: Sequence[str]) -> int:
    return len({match[1] for name in groups if (match := BOTTLENECK.match(name))})


def _taught(records: Sequence[TrialRecord], accuracy: str) -> FinishedStudy:
    """Return what the complete trials of a study teach."""
    known = [
        (record.spec, int(record.recipe["imgsz"]), value, record.line_epochs)
        for record in records
        if record.outcome is Outcome.COMPLETE and not record.is_reference and record.spec is not None
        if "imgsz" in record.recipe and (value := record.value(accuracy)) is not None
    ]
    if not known:
        return FinishedStudy(NetworkSizes(np.zeros((0, 3))), np.zeros(0))
    specs, px, reached, epochs = zip(*known, strict=True)
    return FinishedStudy(sizes_of(specs, px, max(px)), np.array(reached, dtype=np.float64), np.log1p(epochs))


def _term_names() -> tuple[str, ...]:
    """Return the names of the terms, in their order: `depth`, `depth * width`."""
    return (*SIZES, *(" * ".join(pair) for pair in combinations_with_replacement(SIZES, 2)))
