"""A study that is like another one: `base: imp` takes what it leaves out from `imp`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.study.faults import DefinitionError
from search.study.names import find_study
from search.study.reading import read_yaml

BASE = "base"


def read_study(path: Path) -> dict[str, Any]:
    """A study's YAML, with the sections that it leaves out taken from its base, and those from the base's own.

    A section stands as a whole in one of the two; nothing is mixed within it. The description is a study's own.

    Raises:
        DefinitionError: If one of the files cannot be read, or is its own base in the end.
    """
    plain = read_yaml(path)
    seen = [path.resolve()]
    while BASE in plain:
        base = plain.pop(BASE)
        if not isinstance(base, str):
            raise DefinitionError(f"base is {base!r}; it must be the name of a study or the path of its YAML")
        try:
            found = find_study(base)
        except DefinitionError as error:
            raise DefinitionError(f"base: {error}") from None
        if found.resolve() in seen:
            raise DefinitionError(f"base: '{base}' is in the end its own base; one of them must stand alone")
        seen.append(found.resolve())
        plain = {**read_yaml(found), "description": "", **plain}
    return plain
