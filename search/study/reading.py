"""Reads a study's YAML as plain values, and fills sections that are left out from the study named by `base`."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from search.study.faults import DefinitionError
from search.study.names import find_yaml
from spaces.foreign.plain_yaml import YamlFault, parse_yaml_text, read_yaml_text

LARGEST_BYTES = 2**20


class _PlainLoader(yaml.SafeLoader):
    """YAML loader without tags that make objects; it refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands twice; plain PyYAML lets the last one win."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    mark = key_node.start_mark
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key '{key_node.value}' stands twice; keep one of them", mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 wants a dot and a signed exponent in a float, so PyYAML reads 1e-4 as text; YAML 1.2 reads a number.
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        DefinitionError: If it cannot be read, is not YAML, or holds something else.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DefinitionError(f"study file '{path}' is larger than 1 MiB; a study has some dozens of lines")
        text = read_yaml_text(path, LARGEST_BYTES)
    except (OSError, YamlFault) as error:
        raise DefinitionError(f"study file '{path}' cannot be read: {error}") from None
    found = parse_yaml(text, str(path))
    if not isinstance(found, dict):
        raise DefinitionError(f"study file '{path}' holds {_kind(found)}; it must hold fields such as `data: digits`")
    return found


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML text; `where` names it in messages.

    Raises:
        DefinitionError: If it is not plain YAML; the message has the line and column.
    """
    try:
        return parse_yaml_text(text, _PlainLoader)[0]
    except YamlFault as error:
        raise DefinitionError(f"{where}{error.place}: {error.problem}") from None


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


BASE = "base"


def read_study(path: Path) -> dict[str, Any]:
    """Return a study's YAML, with the sections that it leaves out taken from its base, and those from the base's own.

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
            found = find_yaml(base)
        except DefinitionError as error:
            raise DefinitionError(f"base: {error}") from None
        if found.resolve() in seen:
            raise DefinitionError(f"base: '{base}' is in the end its own base; one of them must stand alone")
        seen.append(found.resolve())
        plain = {**read_yaml(found), "description": "", **plain}
    return plain
