"""Definition of a study: the YAML under `studies/`, checked and frozen. It does nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from objectives.quantities import QUANTITIES, USUAL_OBJECTIVES
from search.study.changeable_fields import ChangeableFields
from search.study.difference import NOT_IDENTITY
from search.study.faults import DefinitionError, FieldFault, describe, unknown_key
from search.study.file_objectives import TaskName, accuracies_on_request, check_objectives, objectives_in_full
from search.study.limits import check_least, check_limits, least_in_full, without_units
from search.study.names import find_yaml, stored_name
from search.study.options import TASKS, in_full, latency_limit_in_full, model_option
from search.study.reading import BASE, read_study
from search.study.recipe import RecipeDefinition
from search.study.rows import PARENT_NAME, SCRATCH_NAME, RowSection, check_row
from search.study.scale import SCALE, with_command_line
from search.study.sections import (
    AccuracySection,
    DataSection,
    ParentSection,
    Recipe,
    RungsSection,
    SamplerSection,
    TargetSection,
    check_targets_differ,
    known_fields,
)
from search.study.spaces.registry import AnySpace, fields_of_space
from spaces.base import ParamValue

Better = Literal["maximize", "minimize"]
BETTER: Mapping[str, Better] = {
    name: each.direction.value for name, each in QUANTITIES.items() if each.direction is not None
}
"""Possible objectives of a study, each with the direction that is better."""


class StudyDefinition(ChangeableFields):
    """Definition of a study: data, parent, donors, space, recipe, objectives, limits, target.

    Attributes:
        name: The name it is stored under; not part of the YAML.
        objectives: Names and directions, in the order of the values told to the sampler.
        limits: Upper bounds by name of a measurement; null is no bound.
        at_least: Accuracies that direct the search but rule nothing out; one of at most 0 is relative to the parent's.
        task: Task of the parent, as Ultralytics names it; by default that which its files tell.
        further_targets: Where latency is measured besides: a column each, no objective and no limit.
        inherit: Whether a trial begins with the weights of the best trained network near to it: training then adds up
            over trials. False: with the weights that its space names; all trials are then trained equally.
        copied_from: Study whose networks this one begins with, on another target; set by `--retarget`.
        seed: Each worker draws from a seed of its own, made of this one; trials train with `seed` itself.
    """

    name: str
    description: str = ""
    data: DataSection
    parent: ParentSection = Field(default_factory=ParentSection)
    donors: tuple[RowSection, ...] = Field(default=(), strict=False)
    controls: tuple[RowSection, ...] = Field(default=(), strict=False)
    space: AnySpace
    recipe: Recipe = Field(default_factory=RecipeDefinition)
    objectives: dict[str, Better] = Field(default_factory=lambda: {name: BETTER[name] for name, _ in USUAL_OBJECTIVES})
    limits: dict[str, float | None] = Field(default_factory=dict)
    at_least: dict[str, float] = Field(default_factory=dict)
    target: TargetSection = Field(default_factory=TargetSection)
    further_targets: tuple[TargetSection, ...] = Field(default=(), strict=False)
    accuracy: AccuracySection = Field(default_factory=AccuracySection)
    sampler: SamplerSection = Field(default_factory=SamplerSection)
    task: TaskName = Field(default="detect", exclude_if=lambda name: name == "detect")
    rungs: RungsSection = Field(default_factory=RungsSection)
    inherit: bool = True
    copied_from: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**31)

    @model_validator(mode="before")
    @classmethod
    def _in_full(cls, plain: Any) -> Any:
        return without_units(least_in_full(latency_limit_in_full(plain)))

    @field_validator("objectives")
    @classmethod
    def _known_objectives(cls, objectives: dict[str, str]) -> dict[str, str]:
        for name, direction in objectives.items():
            if name not in BETTER:
                raise FieldFault(name, unknown_key(name, BETTER))
            if direction != BETTER[name]:
                raise FieldFault(name, f"is '{direction}'; it must be {BETTER[name]}")
        if len(objectives) < 2:
            usual = ", ".join(name for name, _ in USUAL_OBJECTIVES)
            raise FieldFault("", f"names {len(objectives)}; a front needs two or more, such as {usual}")
        return objectives

    @field_validator("limits")
    @classmethod
    def _known_limits(cls, limits: dict[str, float | None]) -> dict[str, float | None]:
        check_limits(limits)
        return limits

    @model_validator(mode="after")
    def _sections_agree(self) -> StudyDefinition:
        check_least(self.at_least, self.objectives)
        check_targets_differ(self.target, self.further_targets)
        recipes = [self.recipe, self.parent.recipe, *(row.recipe for row in (*self.donors, *self.controls))]
        check_objectives(self.task, self.objectives, (self.target, *self.further_targets), recipes)
        return self

    @model_validator(mode="after")
    def _rows_fit(self) -> StudyDefinition:
        seen = [PARENT_NAME]
        for position, donor in enumerate(self.donors):
            where = f"donors.{position}"
            if donor.model is not None or donor.weights is not None:
                raise FieldFault(f"{where}.model", "is set; a donor is cut from the parent, a model stands in controls")
            check_row(where, donor, seen, seen)
            self._check_recipe(where, donor)
            seen += donor.names
        for position, control in enumerate(self.controls):
            check_row(f"controls.{position}", control, (*seen, SCRATCH_NAME), seen)
            self._check_recipe(f"controls.{position}", control)
            seen += control.names
        if self.space.takes_from_donors and not self.donors:
            raise FieldFault("donors", f"is empty; {self.space.takes_from_donors}")
        if self.space.ranks_by_scales:
            donors = [donor.name for donor in self.donors]
            for source in donors if self.space.takes_from_donors else (PARENT_NAME,):
                self._check_sparsity("space.criterion", source)
        return self

    def _check_recipe(self, where: str, row: RowSection) -> None:
        """Refuse a searched number of epochs for a donor: it must be fixed, and the default is far too long."""
        if row.sources and "recipe.epochs" in self.recipe.searched and "epochs" not in row.recipe.fixed:
            raise FieldFault(f"{where}.recipe.epochs", "is missing; recipe.epochs is a range, so say it here")
        if row.source is not None and row.ranks_by_scales:
            self._check_sparsity(f"{where}.criterion", row.source)
        if row.cut == "sensitivity" and row.source not in (PARENT_NAME, SCRATCH_NAME):
            raise FieldFault(f"{where}.cut", f"is sensitivity, which is measured of the parent, not of {row.source}")

    def _check_sparsity(self, where: str, source: str) -> None:
        """Refuse slimming without sparsity: BatchNorm's scales rank channels only after training with it."""
        rows = {name: self.recipe_of(row) for row in (*self.donors, *self.controls) for name in row.names}
        recipe = {PARENT_NAME: self.parent.recipe.fixed, **rows}.get(source, {})
        if not recipe.get("sparsity"):
            raise FieldFault(
                where,
                f"is 'batchnorm', but {source} is not trained with sparsity; set sparsity in its recipe (0.001 in "
                "long trainings, 0.3 in some hundred steps), or take another criterion",
            )

    def recipe_of(self, row: RowSection) -> dict[str, ParamValue]:
        """Return the fixed values of a donor's or control's recipe: the study's own, then the row's over them.

        A model of its own is trained as the parent is, not as what was cut from it.
        """
        if not row.sources:
            return {**self.parent.recipe.fixed, **row.recipe.fixed}
        return {**self.recipe.fixed, **row.recipe.fixed}

    def sparse_recipe_of(self, row: RowSection) -> dict[str, ParamValue]:
        """Return the fixed values of the training with sparsity before a cut at a threshold."""
        return {**self.recipe.fixed, **row.sparse.fixed}

    @property
    def reads_parents_scales(self) -> bool:
        """True if BatchNorm's scales rank channels of the parent."""
        rows = [row for row in (*self.donors, *self.controls) if row.source in (PARENT_NAME, SCRATCH_NAME)]
        of_parent = self.space.ranks_by_scales and not self.space.takes_from_donors
        return of_parent or any(row.ranks_by_scales for row in rows)

    @property
    def named_quantities(self) -> frozenset[str]:
        """Names of the objectives, the set limits, the accuracies of task and files; no others are measured."""
        own = accuracies_on_request(self.task, (self.target, *self.further_targets))
        return frozenset((*self.objectives, *self.upper_limits, *own))

    @property
    def upper_limits(self) -> dict[str, float]:
        """Limits that are set."""
        return {name: limit for name, limit in self.limits.items() if limit is not None}

    def as_plain(self) -> dict[str, Any]:
        """Return what is stored: plain values (JSON) of everything that distinguishes this study from others.

        Name, description, `n_trials`, budget and `hung_after` are left out: they may change while the study goes on.
        """
        plain = self.model_dump(mode="json", by_alias=True, exclude={"name", *NOT_IDENTITY})
        return {**plain, "limits": self.upper_limits}


def load_study(
    name_or_path: str | Path,
    overrides: Sequence[str] = (),
    *,
    name: str | None = None,
    data: str | Path | None = None,
    model: str | Path | None = None,
    imgsz: int | None = None,
    skip_bad: bool = False,
    classes: Sequence[int] | None = None,
    single_cls: bool = False,
    fraction: float | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int | None = None,
    n_trials: int | None = None,
    budget: str | None = None,
    hung_after: str | None = None,
) -> StudyDefinition:
    """Read a study's YAML, put the command line's options over it, then the overrides, and check the whole.

    Args:
        name_or_path: A name, looked up in ./studies and then among the installed studies, or the path of a YAML.
        overrides: `-o key=value`, in their order; they win over the other options.
        name: The name to store the study under.
        model: A model YAML, or weights: `.pt`, `.safetensors` or a checkpoint folder.
        skip_bad: Leave out a few images that cannot be used.
        classes: Numbers of the classes whose labels count; `single_cls` and `fraction` are Ultralytics' too.
        epochs: Of every trial, and of donors and controls that do not set their own; not of the parent.
        batch: As `epochs`.

    Raises:
        DefinitionError: If there is no such study or a field is wrong; the message names it and the fix.
    """
    path = find_yaml(name_or_path)
    read = in_full(read_study(path))
    own_source = read["data"].get("source") if isinstance(read.get("data"), dict) else None
    options = {
        "data.source": None if data is None else str(data),
        "data.imgsz": imgsz,
        "data.skip_bad": True if skip_bad else None,
        "data.classes": None if classes is None else list(classes),
        "data.single_cls": True if single_cls else None,
        "data.fraction": fraction,
        "recipe.epochs": epochs,
        "recipe.batch": batch,
        "seed": seed,
        "n_trials": n_trials,
        "budget": budget,
        "hung_after": hung_after,
    }
    given = {key: value for key, value in options.items() if value is not None}
    plain, overrides = with_command_line(read, {**given, **model_option(model)}, overrides)
    if "name" in plain:
        raise DefinitionError("name is set by --name, else by the file's own; leave it out of the definition")
    if plain.get("copied_from") is not None:
        raise DefinitionError("copied_from is set by --retarget; leave it out of the definition")
    source = plain["data"].get("source") if isinstance(plain.get("data"), dict) else None
    stored = stored_name(path.stem, str(source), str(own_source), name)
    return checked({**objectives_in_full(plain, overrides), "name": stored})


def stored_definition(name: str, plain: Mapping[str, Any]) -> StudyDefinition:
    """Return the definition of a stored study, from `as_plain`.

    Raises:
        DefinitionError: If it was stored by a version whose fields this one does not have.
    """
    return checked({"inherit": False, **plain, "name": name})  # studies from before there was inheritance had none


def checked(plain: Mapping[str, Any]) -> StudyDefinition:
    """Check plain values against the schema.

    Raises:
        DefinitionError: If a field is wrong; the message names each with its value and what is right.
    """
    try:
        return StudyDefinition.model_validate(dict(plain))
    except ValidationError as error:
        raise DefinitionError(describe(error, partial(_fields_at, plain))) from None


def _fields_at(plain: Mapping[str, Any], location: tuple[Any, ...]) -> list[str]:
    """Return the keys known at a place in the definition."""
    sections: dict[Any, type[BaseModel]] = {
        "data": DataSection,
        "parent": ParentSection,
        "donors": RowSection,
        "controls": RowSection,
        "target": TargetSection,
        "further_targets": TargetSection,
        "accuracy": AccuracySection,
        "sampler": SamplerSection,
        "rungs": RungsSection,
    }
    if not location:
        return [BASE, SCALE, TASKS, *(field for field in known_fields(StudyDefinition) if field != "name")]
    if location[0] == "space":
        return fields_of_space(plain["space"])
    return known_fields(sections[location[0]])
