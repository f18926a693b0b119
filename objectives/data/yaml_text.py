"""Reads the text of a data set's files: a YAML as inert values with the line of each key, lists and labels as lines.

Text comes from many editors: UTF-8 with or without a mark at its beginning, UTF-16, Windows-1252; with carriage
returns, and with tabs where YAML wants spaces. Nothing in it is executed.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from spaces.base import MOST_CLASSES, SpaceError
from spaces.shown import shown

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_WINDOWS = "cp1252"
_CONTROL = frozenset(map(chr, range(32))) - frozenset("\t\n\r\f\x1a\x1b")
_MOST_EVENTS = 10 * MOST_CLASSES  # of the YAML's text: what begins, ends or is a value
_DEEPEST = 50  # levels of lists and mappings
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast as the loader in Python


class DataError(SpaceError):
    """Fault of the data set. The message names the file (and line) and what is right; nothing was trained."""


class Definitions(NamedTuple):
    """Values of a YAML.

    Attributes:
        values: Its top-level mapping; `None` written out is no value, as in Ultralytics.
        lines: Line of each key.
        notes: One line for each thing that was guessed to read the text.
    """

    values: dict[str, Any]
    lines: dict[str, int]
    notes: tuple[str, ...]


def decoded(content: bytes) -> tuple[str, str | None]:
    """Return text, and the encoding that had to be guessed; None if the text says or shows its own.

    Raises:
        UnicodeDecodeError: If it is no text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding), None
    try:
        return content.decode("utf-8"), None
    except UnicodeDecodeError as error:
        try:
            text = content.decode(_WINDOWS)
        except UnicodeDecodeError:
            raise error from None
        if _CONTROL & set(text):  # an image or an archive
            raise
        return text, _WINDOWS


def read_yaml(file: Path) -> Definitions:
    """Read a data set YAML.

    Raises:
        DataError: If it is no plain YAML with keys at its top, or too large.
    """
    try:
        text, guessed = decoded(file.read_bytes())
        node, content, untabbed = _parsed(file, text)
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(file)}: not a text file in UTF-8 (byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError(f"{shown(file)}:{line}: not plain YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{shown(file)}: not plain YAML: {shown(str(error).splitlines()[0])}") from None
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        raise DataError(f"{shown(file)}: not a data set YAML; it needs the keys train, val and names")
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    values = {str(key): None if value == "None" else value for key, value in content.items()}
    notes = []
    if guessed:
        notes.append(f"{shown(file.name)} is not in UTF-8; it was read as Windows-1252, so look at the class names")
    if untabbed:
        notes.append(f"{shown(file.name)} has tabs, which YAML forbids there; each was read as two spaces")
    return Definitions(values, lines, tuple(notes))


def _parsed(file: Path, text: str) -> tuple[yaml.Node | None, Any, bool]:
    """Return the tree and the values of YAML text, and whether tabs had to be replaced."""
    try:
        return *_composed(file, text), False
    except yaml.MarkedYAMLError:
        if "\t" not in text:
            raise
    return *_composed(file, text.replace("\t", "  ")), True


def _composed(file: Path, text: str) -> tuple[yaml.Node | None, Any]:
    _check_size(file, text)
    return yaml.compose(text, Loader=_Loader), yaml.load(text, Loader=_Loader)


def _check_size(file: Path, text: str) -> None:
    """Refuse a YAML of too many values, or of too many levels, before anything is built of it."""
    level = 0
    for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if number > _MOST_EVENTS or level > _DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise DataError(f"{shown(file)}:{line}: too long or too deep for a data set YAML")


def is_count(text: str) -> bool:
    """Return whether text is a number of digits alone."""
    return text.strip().isdecimal()


def whole_number(value: Any) -> int | None:
    """Return a number of classes, also as `3.0` or `'3'` as Ultralytics allows; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if not isinstance(value, bool) and number.is_integer() and 1 <= number <= MOST_CLASSES else None


def short_value(value: object) -> str:
    """Return a value for a message; its type if it is too long or nested."""
    if not isinstance(value, str | int | float) or (isinstance(value, int) and value.bit_length() > 64):
        return type(value).__name__  # too long to be shown, or nested
    return shown(repr(value))[:60]
