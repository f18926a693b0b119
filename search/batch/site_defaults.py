"""Defaults of a site for `search.submit`: partition, account, time, ... in a file of the user."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from search.study.faults import DefinitionError
from spaces.foreign.plain_yaml import TextLoader, YamlFault, parse_yaml_text, read_yaml_text
from spaces.suggestion import did_you_mean

SITE_OPTIONS = (
    "account", "constraint", "container", "container_bind", "container_by", "gpus", "gres", "mail", "max_requeues",
    "mem", "partition", "python", "qos", "threads", "time", "workers",
)  # fmt: skip
"""Options of `search.submit` that the file may set."""


def defaults_file() -> Path:
    """Return the place of the file: `~/.config/yolofront/cluster.yaml`, whether it is there or not."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "yolofront" / "cluster.yaml"


def read_defaults(names: Collection[str] = SITE_OPTIONS) -> dict[str, str]:
    """Return the values of the file, as they would stand on the command line; none if there is no file.

    Args:
        names: Names of the options that it may set.

    Raises:
        DefinitionError: If the file cannot be read, or sets anything else.
    """
    file = defaults_file()
    if not file.is_file():
        return {}
    try:
        values, _ = parse_yaml_text(read_yaml_text(file), TextLoader)
    except (YamlFault, OSError) as fault:
        raise DefinitionError(f"{file}: {fault}") from fault
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise DefinitionError(f"{file} must hold lines such as 'partition: gpu'")
    for name, value in values.items():
        if name not in names:
            raise DefinitionError(f"{file}: there is no '{name}'; {did_you_mean(str(name), tuple(names))}")
        if not isinstance(value, str):
            raise DefinitionError(f"{file}: {name} is {value!r}; write one value")
    return values
