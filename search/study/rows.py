"""`donors:` and `controls:` of a study's YAML: networks that are made beside the search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from search.study.cuts import Criterion, Cut, check_cut
from search.study.faults import FieldFault
from search.study.recipe import RecipeDefinition
from search.study.sections import Ratio, Recipe, Section, without_ranges

PARENT_NAME = "parent"
SCRATCH_NAME = "scratch"
ROW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
BEST_F1 = "-f1"
"""Suffix of the row of the same training at the epoch with the best F1."""


class GraftOf(Section):
    """Two rows that are joined: the backbone of one, neck and detect of the other."""

    backbone: str
    head: str


class RowSection(Section):
    """Network that is made beside the search: a donor or a control. It is cut, joined, or a model of its own.

    Attributes:
        name: What it is called in tables and as the sampler's option.
        source: `from:` what it is cut from: an earlier row, `parent`, or `scratch` for the parent's structure with
            fresh weights.
        ratio: Share of the source's channels that stay, in (0, 1]; where they go is up to `cut`.
        flops: Instead of `ratio`: share of the source's FLOPs that stays.
        cut: `uniform`: every group alike; `global`: all channels of the network in one ranking; `slimming`: the
            same by the scales of BatchNorm, after training with sparsity; `threshold`: every channel whose scale is
            below `threshold`; `sensitivity`: most where it hurts least.
        criterion: What makes a channel important.
        threshold: Of the scales. Where less than 5 % of them lie below it, `ratio` is cut to instead.
        sparse: The training with sparsity that comes before a cut at a threshold; fields that it leaves out are
            those of the study's `recipe`.
        graft: Instead of `from:`: what it is joined from.
        model: Instead of `from:`: a detector of its own, `yolov8s.yaml`, trained whole: the stock family as a
            point to compare with, and as what other rows are cut from.
        weights: What `model` starts from.
        recipe: How it is trained; fields that it leaves out are those of the study's `recipe`.
        also: `best_f1`: the epoch with the best F1 is a row of its own too, called `NAME-f1`.
    """

    name: str
    source: str | None = Field(default=None, alias="from")
    ratio: Ratio | None = None
    flops: Ratio | None = None
    cut: Cut | Literal["threshold"] = "uniform"
    criterion: Criterion = "l2"
    threshold: float | None = Field(default=None, gt=0)
    sparse: Recipe = Field(default_factory=RecipeDefinition)
    graft: GraftOf | None = None
    model: str | None = None
    weights: str | None = None
    recipe: Recipe = Field(default_factory=RecipeDefinition)
    also: Literal["best_f1"] | None = None

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not ROW_NAME.fullmatch(name) or name in (PARENT_NAME, SCRATCH_NAME):
            raise FieldFault(
                "",
                f"is '{name}'; it must be up to 40 letters, digits, dots, dashes or underscores, beginning with a "
                f"letter or digit, and neither {PARENT_NAME} nor {SCRATCH_NAME}",
            )
        return name

    @field_validator("recipe", "sparse")
    @classmethod
    def _fixed(cls, recipe: RecipeDefinition) -> RecipeDefinition:
        return without_ranges(recipe)

    @model_validator(mode="after")
    def _is_one_of_three(self) -> RowSection:
        if self.model is not None or self.weights is not None:
            self._refuse("is set, and so is model; a row is cut from something or a model of its own", "graft")
        elif self.graft is not None:
            self._refuse("is set, and so is graft; a row is joined from two or cut from one")
        else:
            self._check_cut()
        return self

    def _refuse(self, why: str, *further: str) -> None:
        for name in ("source", "ratio", "flops", "cut", "criterion", "threshold", "sparse", *further):
            if getattr(self, name) != _default(name):  # a stored definition names all fields
                raise FieldFault("from" if name == "source" else name, why)

    def _check_cut(self) -> None:
        if self.source is None:
            raise FieldFault("from", "is missing; it says what this is cut from (or model, for one of its own)")
        if self.ratio is None and self.flops is None:
            raise FieldFault("ratio", "is missing; it is the share of channels that stay (or flops, that of FLOPs)")
        if self.ratio is not None and self.flops is not None:
            raise FieldFault("flops", "and ratio exclude each other; keep one of them")
        if self.cut == "threshold":
            self._check_threshold()
        elif self.threshold is not None or self.sparse != RecipeDefinition():
            name = "sparse" if self.threshold is None else "threshold"
            raise FieldFault(name, f"is set, but cut is {self.cut}; it belongs to `cut: threshold`")
        else:
            check_cut(self.cut, self.criterion)
        if self.cut == "sensitivity" and self.flops is None:
            raise FieldFault("ratio", "means nothing to a cut by sensitivity; give flops")

    def _check_threshold(self) -> None:
        if self.threshold is None:
            raise FieldFault("threshold", "is missing; by hand it is 0.01")
        if self.source == SCRATCH_NAME:
            raise FieldFault("from", "is scratch, which has no trained scales; cut from parent or an earlier row")
        if self.ratio is None:
            raise FieldFault("ratio", "is missing; where hardly a scale is below the threshold it is cut to instead")
        if not self.sparse.fixed.get("sparsity"):
            raise FieldFault("sparse.sparsity", "is missing; the scales say nothing without training with sparsity")
        if self.criterion != _default("criterion"):
            raise FieldFault(
                "criterion", "is set, but a cut at a threshold goes by the scales of BatchNorm; leave it out"
            )

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the rows that it is made from."""
        if self.graft is not None:
            return (self.graft.backbone, self.graft.head)
        return () if self.source is None else (self.source,)

    @property
    def ranks_by_scales(self) -> bool:
        """True if BatchNorm scales rank channels of what it is cut from, which needs training with sparsity."""
        return self.criterion == "batchnorm"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows that it gives."""
        return (self.name,) if self.also is None else (self.name, self.name + BEST_F1)


def _default(name: str) -> object:
    return RowSection.model_fields[name].get_default(call_default_factory=True)


def check_row(where: str, row: RowSection, sources: Sequence[str], taken: Sequence[str]) -> None:
    """Check a row against those before it.

    Raises:
        FieldFault: If its name stands already, or it is made from what is not there.
    """
    for name in row.names:
        if name in taken:
            raise FieldFault(f"{where}.name", f"is '{row.name}', which stands twice; names of rows must differ")
    for field, source in zip(
        ("from",) if row.graft is None else ("graft.backbone", "graft.head"), row.sources, strict=False
    ):
        if source not in sources:
            raise FieldFault(f"{where}.{field}", f"is '{source}'; it must be one of {', '.join(sources)}")
