"""Messages about a wrong definition: the field, its value, and what is right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from spaces.suggestion import did_you_mean


class DefinitionError(ValueError):
    """Fault of the user's request. The message names the field and the remedy; nothing ran."""


class DefinitionMismatch(Exception):
    """Study that is stored with another definition. The message names the differences and what to do."""


class ComeBackLater(Exception):
    """Work of another worker that this one does not wait for any longer. The same command continues later."""


class FieldFault(ValueError):
    """Fault of one field below the section that is being read.

    Attributes:
        field: Dotted name within the section; empty for the section itself.
        fault: What is wrong, to be read after the field's name: `is 5; it must be ...`.
    """

    def __init__(self, field: str, fault: str) -> None:
        """Name the field and the fault."""
        super().__init__(f"{field} {fault}".strip())
        self.field = field
        self.fault = fault


def unknown_key(name: str, known: Iterable[str]) -> str:
    """Return the message about an unknown key, to follow its name."""
    names = list(known)
    listed = ", ".join(names)
    return f"is unknown; {did_you_mean(name, names, f'known are {listed}')}"


def describe(error: ValidationError, fields_of: Any) -> str:
    """Return all faults that pydantic found, as one line.

    Args:
        fields_of: Given a section's location (a tuple without the last key), its known field names.
    """
    return "; ".join(_describe_one(fault, fields_of) for fault in error.errors())


def _describe_one(fault: Any, fields_of: Any) -> str:
    location = fault["loc"]
    name = ".".join(str(part) for part in location)
    kind, value, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{name} {unknown_key(str(location[-1]), fields_of(tuple(location[:-1])))}"
    if kind == "missing":
        return f"{name} is missing"
    cause = context.get("error")
    if isinstance(cause, FieldFault):
        return f"{'.'.join(part for part in (name, cause.field) if part)} {cause.fault}"
    right = fault["msg"].replace("Input should be ", "must be ").replace("String should ", "must ")
    right = right.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return f"{name} is {value!r}; it {right[:1].lower()}{right[1:]}"
