"""Definition of a study that takes the trained networks of a stored study to another target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from objectives.device.target import TargetError
from objectives.runtimes.names import target_named
from search.study.definition import StudyDefinition, checked, stored_definition
from search.study.faults import DefinitionError
from search.study.file_objectives import objectives_in_full
from search.study.names import retargeted_name
from search.study.options import apply_overrides, in_full
from search.study.sections import TargetSection

CHANGEABLE = ("target", "further_targets", "objectives", "limits", "at_least", "accuracy", "sampler", "rungs")
"""Sections that may differ from the stored study; with another one its networks would be no points of the space."""


def retargeted(
    study: str,
    stored: Mapping[str, Any],
    target: str,
    overrides: Sequence[str] = (),
    *,
    n_trials: int | None = None,
    budget: str | None = None,
    hung_after: str | None = None,
) -> StudyDefinition:
    """Return the definition of a study with the networks of a stored study and another target.

    It has no controls, because those of the stored study are copied, and no trials unless they are asked for.

    Args:
        study: Name of the stored study, with its generation.
        stored: Its definition, from `as_plain`.
        target: Short name of the other target.
        overrides: `key=value`, in their order; `target.threads=4` changes the target further.

    Raises:
        DefinitionError: If there is no such target, it is the stored study's own, or a field is wrong.
    """
    old = stored_definition(study, stored)
    try:
        asked = TargetSection(**target_named(target)._asdict())
    except TargetError as error:
        raise DefinitionError(f"--retarget is '{target}'; {error}") from None
    plain = {
        **old.as_plain(),
        "controls": [],
        "inherit": True,
        "copied_from": study,
        "n_trials": n_trials or 0,
        "budget": budget,
        "hung_after": hung_after,
        "target": asked.model_dump(),
        "further_targets": [each.model_dump() for each in old.further_targets if each.name != asked.name],
    }
    for override in overrides:
        _check_changeable(override)
        plain = in_full(apply_overrides(plain, [override]))
    plain = objectives_in_full(plain, overrides)
    new = checked({**plain, "name": study})
    if new.target.name == old.target.name:
        raise DefinitionError(f"--retarget: study '{study}' is on {old.target.name}; give another target")
    return new.model_copy(update={"name": retargeted_name(study, new.target.name)})


def _check_changeable(override: str) -> None:
    section = override.partition("=")[0].partition(".")[0].strip()
    if section not in CHANGEABLE:
        raise DefinitionError(
            f"-o {section}: a second target takes the study as it is; only {', '.join(CHANGEABLE)} can be set"
        )
