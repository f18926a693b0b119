"""`--print-config`: prints the study's definition, and the source of each value of its recipes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from objectives.tasks.digit_sets import BUILT_IN
from search.study.definition import StudyDefinition
from search.study.recipe import Resolved, Source, image_size, resolve_recipe
from search.work.budget_plan import budget_text
from spaces.base import ParamValue
from spaces.networks.weights import WeightsFile, read_weights
from spaces.shown import print_line, shown_lines


def print_config(definition: StudyDefinition, *, repeats: int = 0) -> int:
    """Print the definition as YAML that can be saved as a study, with the complete recipes as comments.

    Args:
        repeats: Number of trials that are trained once more when the study is done.
    """
    ending: dict[str, object] = {"n_trials": definition.n_trials}
    if definition.budget is not None:
        ending["budget"] = definition.budget
    plain = {"description": definition.description, **definition.as_plain(), **ending}
    print_line(_yaml_text(plain))
    weights = _weights(definition)
    train_args = {} if weights is None else weights.train_args
    print_line(f"\n# stored as: {definition.name}")
    if text := budget_text(definition, repeats):
        print_line(f"# {text}")
    imgsz = image_size(definition.data.imgsz, _data_defaults(definition), None if weights is None else weights.imgsz)
    print_line(f"# image size: {imgsz.value}  ({imgsz.source.value})")
    _print_recipe("parent.recipe", definition.parent.recipe.fixed, definition, train_args, imgsz)
    _print_recipe("recipe", definition.recipe.fixed, definition, train_args, imgsz, definition.recipe.searched)
    return 0


def _yaml_text(plain: Mapping[str, Any]) -> str:
    """Return YAML; if it holds characters that are not shown, in the escape codes of YAML, so that it can be saved."""
    text, escaped = (
        yaml.safe_dump(plain, sort_keys=False, allow_unicode=unicode).removesuffix("\n") for unicode in (True, False)
    )
    return text if shown_lines(text) == text else escaped


def _print_recipe(
    title: str,
    fixed: Mapping[str, ParamValue],
    definition: StudyDefinition,
    train_args: Mapping[str, Any],
    imgsz: Resolved,
    searched: Mapping[str, object] = {},
) -> None:
    print_line(f"\n# {title}, settled ({', '.join(source.value for source in Source)}):")
    for name, each in resolve_recipe(fixed, _data_defaults(definition), train_args, imgsz).items():
        if f"recipe.{name}" in searched:
            print_line(f"#   {name}: searched")
        else:
            print_line(f"#   {name}: {each.value}  ({each.source.value})")


def _data_defaults(definition: StudyDefinition) -> Mapping[str, ParamValue]:
    built_in = BUILT_IN.get(definition.data.source)
    return {} if built_in is None else built_in.defaults


def _weights(definition: StudyDefinition) -> WeightsFile | None:
    return None if definition.parent.weights is None else read_weights(Path(definition.parent.weights))
