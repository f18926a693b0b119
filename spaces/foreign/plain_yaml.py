"""Reads YAML that people and other programs wrote, as plain values: no tag makes an object, no alias multiplies it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from spaces.foreign.plain_json import is_text
from spaces.shown import shown

LARGEST_YAML_BYTES = 256 * 2**10
"""Maximum size of a YAML file that is read whole: PyYAML needs seconds for more."""
MOST_EVENTS = 50_000
"""Maximum number of values, and of begins and ends of lists, as they are written."""
_COUNTER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_NODES = 200_000
"""Maximum number of values after every alias was replaced by what it stands for."""


class TextLoader(yaml.SafeLoader):
    """Reads every value as the text that stands there: `time: 12:00:00` is no number."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (so PyYAML declares it)


class YamlFault(Exception):
    """Text that is no plain YAML.

    Attributes:
        problem: The fault, on one line.
        line: Line of the fault, from 1; None if it is not known. `column` likewise.
    """

    def __init__(self, problem: str, line: int | None = None, column: int | None = None) -> None:
        """Say what is wrong, and where."""
        super().__init__(problem)
        self.problem, self.line, self.column = problem, line, column

    @property
    def place(self) -> str:
        """Return ` line 3, column 5`, with a blank before it; empty if it is not known."""
        return "" if self.line is None else f" line {self.line}, column {self.column}"


def read_yaml_text(path: Path, most_bytes: int = LARGEST_YAML_BYTES) -> str:
    """Return the text of a YAML file.

    Raises:
        YamlFault: If it is too large or no UTF-8.
        OSError: If it cannot be read.
    """
    size = path.stat().st_size
    if size > most_bytes:
        raise YamlFault(f"it has {size} bytes; at most {most_bytes} are read")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlFault(f"not a text file in UTF-8 (byte {error.start})") from None


def parse_yaml_text(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> tuple[Any, yaml.Node | None]:
    """Return the values of YAML text, and the tree that knows their lines.

    Raises:
        YamlFault: If it is no plain YAML.
    """
    if _is_long(text):
        raise YamlFault(f"more than {MOST_EVENTS} values")
    try:
        reader = loader(text)
        node = reader.get_single_node()
        if node is None:
            return None, None
        if not is_text(text) or any(not is_text(each.value) for each in _scalars(node)):
            raise YamlFault("a character that is none (half of a surrogate pair)")
        if _expanded_count(node) > MOST_NODES:
            raise YamlFault("too many values, or aliases that stand for too many")
        return reader.construct_document(node), node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = shown(" ".join(str(error.problem).split()), most=200)
        raise YamlFault(problem, *((None, None) if mark is None else (mark.line + 1, mark.column + 1))) from None
    except RecursionError:
        raise YamlFault("nested too deeply to be read") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        # ValueError: a date such as 2024-13-45; the others: PyYAML's own constructors, given odd text
        raise YamlFault(shown(" ".join(str(error).split()), most=200)) from None


def _is_long(text: str) -> bool:
    """Return whether text has more values than the reader reads in seconds; the parser in C counts them quickly."""
    try:
        return any(number > MOST_EVENTS for number, _ in enumerate(yaml.parse(text, Loader=_COUNTER)))
    except (yaml.YAMLError, ValueError, RecursionError):
        return False  # the reader says what is wrong


def _scalars(root: yaml.Node) -> Iterator[yaml.ScalarNode]:
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield node
        elif isinstance(node, yaml.MappingNode):
            pending += [each for pair in node.value for each in pair]
        else:
            pending += node.value


def _expanded_count(root: yaml.Node) -> int:
    """Return the number of values after every alias was replaced; one that holds itself counts without end."""
    counts: dict[int, int] = {}
    open_nodes: set[int] = set()

    def count(node: yaml.Node) -> int:
        key = id(node)
        if key in open_nodes:
            return MOST_NODES + 1
        if key not in counts:
            open_nodes.add(key)
            if isinstance(node, yaml.MappingNode):
                inner = [each for pair in node.value for each in pair]
            else:
                inner = node.value if isinstance(node, yaml.SequenceNode) else []
            counts[key] = 1 + sum(map(count, inner))
            open_nodes.discard(key)
        return counts[key]

    return count(root)
