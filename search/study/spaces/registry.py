"""The spaces by name. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, get_args

from pydantic import PlainValidator, SerializeAsAny

from search.study.faults import FieldFault
from search.study.sections import known_fields
from search.study.spaces.base import SpaceSection
from search.study.spaces.baseline import BaselineSection
from search.study.spaces.channels import ChannelsSection
from search.study.spaces.graft import GraftSection
from spaces.base import ParamValue
from spaces.shown import shown, shown_value


def name_of_space(section: type[SpaceSection]) -> str:
    """Return the word that `space.type` has in a YAML."""
    (name,) = get_args(section.model_fields["type"].annotation)
    return str(name)


SPACES: dict[str, type[SpaceSection]] = {
    name_of_space(section): section
    for section in (
        GraftSection,
        ChannelsSection,
        BaselineSection,
    )
}


def read_space(given: object) -> SpaceSection:
    """Read a `space:` section by its `type`.

    Raises:
        FieldFault: If it has no known type.
        ValidationError: If another field is wrong.
    """
    if isinstance(given, SpaceSection):
        return given
    if not isinstance(given, Mapping):
        raise FieldFault("", f"is {shown_value(given)}; it must be a section with a type, one of {', '.join(SPACES)}")
    name = given.get("type")
    if not isinstance(name, str) or name not in SPACES:
        what = shown(name, most=60) if isinstance(name, str) else "missing" if name is None else shown_value(name)
        raise FieldFault("type", f"is {what or 'missing'}; it must be one of {', '.join(SPACES)}")
    return SPACES[name].model_validate(given)


AnySpace = Annotated[SerializeAsAny[SpaceSection], PlainValidator(read_space)]
"""A `space:` section of any type."""


def fields_of_space(given: object) -> list[str]:
    """Return the known keys of a `space:` section that is being read; none if its type is unknown."""
    name = given.get("type") if isinstance(given, Mapping) else None
    return known_fields(SPACES[name]) if isinstance(name, str) and name in SPACES else []


def describe_params(params: Mapping[str, ParamValue]) -> str:
    """Return what the space of a trial says about its parameters, for the trial's note."""
    said = (section.describe(params) for section in SPACES.values())
    return next(filter(None, said), "")
