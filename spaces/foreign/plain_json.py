"""Reads JSON from other programs, and its values by kind: what is missing or of another kind is named in one line.

Standard library only: the program for other machines (`objectives.remote`) contains this file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaces.base import SpaceError
from spaces.shown import shown, shown_reason, shown_value

LARGEST_JSON_BYTES = 256 * 2**20
"""Maximum size of a JSON file: raw times of some thousand networks."""


class ForeignError(SpaceError):
    """File or text that another program made and that cannot be read. The message says where and what is wrong."""


def read_json_file(
    path: Path, error: type[Exception] = ForeignError, *, most_bytes: int = LARGEST_JSON_BYTES, finite: bool = True
) -> Any:
    """Return the content of a JSON file.

    Args:
        error: Kind of error that is raised.
        most_bytes: Maximum size of the file.
        finite: Whether numbers that are not finite are refused; else the caller looks at them.

    Raises:
        FileNotFoundError: If there is no such file; `error` for one that cannot be read or is no JSON.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= most_bytes else b""
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as fault:
        raise error(f"'{shown(path)}' cannot be read: {_reason(fault)}") from None
    if size > most_bytes:
        raise error(f"'{shown(path)}' is {size / 2**20:.0f} MiB; at most {most_bytes / 2**20:.0f} MiB are read")
    return parse_json(content, f"'{shown(path)}'", error, finite=finite)


def parse_json(text: str | bytes, where: str, error: type[Exception] = ForeignError, *, finite: bool = True) -> Any:
    """Return the value of JSON text; `where` begins the message of a fault.

    Raises:
        ForeignError: If it is no JSON, too deeply nested, or holds a number that is not finite; or `error`.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite) if finite else json.loads(text)
        if _ESCAPED_SURROGATE in (text.lower() if isinstance(text, bytes) else text.lower().encode("utf-8", "replace")):
            _check_characters(value)
        return value
    except RecursionError:
        raise error(f"{where} is nested too deeply to be read") from None
    except UnicodeDecodeError as fault:
        raise error(f"{where} is no text in UTF-8 (byte {fault.start})") from None
    except ValueError as fault:
        raise error(f"{where} is not JSON: {_reason(fault)}") from None


def is_text(text: str) -> bool:
    """Return whether text can be written as UTF-8: halves of surrogate pairs cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_characters(value: Any) -> None:
    if not is_text(json.dumps(value, ensure_ascii=False)):
        raise ValueError("a character that is none (half of a surrogate pair)")


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _reason(fault: BaseException) -> str:
    """Return the first line of an error's text, short."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return shown_reason(fault)


_ESCAPED_SURROGATE = rb"\ud"


@dataclass(frozen=True)
class Fields:
    """Values of a mapping from a foreign file, read by kind.

    Attributes:
        where: Begins the messages: the file, and the place in it.
        error: Kind of error that is raised.
    """

    where: str
    values: Mapping[str, Any]
    error: type[Exception] = ForeignError

    @classmethod
    def of(cls, value: Any, where: str, error: type[Exception] = ForeignError) -> Fields:
        """Return the fields of a value that must be a mapping with names as keys."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise error(f"{where} must be an object with named values, not {shown_value(value)}")
        return cls(where, value, error)

    def text(self, name: str) -> str:
        """Return a text."""
        found: str = self._of_kind(name, str, "text")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found = self._list(name)
        for each in found:
            self._check(name, each, isinstance(each, str), "a list of texts")
        return tuple(found)

    def whole(self, name: str, *, low: int = 0, high: int = 2**31) -> int:
        """Return a whole number within bounds."""
        found: int = self._of_kind(name, int, "a whole number")
        self._check(name, found, low <= found <= high, f"a whole number from {low} to {high}")
        return found

    def wholes(self, name: str) -> tuple[int, ...]:
        """Return a list of whole numbers, 0 or above."""
        found = self._list(name)
        for each in found:
            fits = isinstance(each, int) and not isinstance(each, bool) and 0 <= each < 2**31
            self._check(name, each, fits, "a list of whole numbers")
        return tuple(found)

    def number(self, name: str) -> float:
        """Return a finite number."""
        found = self.raw(name)
        fits = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
        self._check(name, found, fits, "a number")
        return float(found)

    def flag(self, name: str) -> bool:
        """Return true or false."""
        found = self.raw(name)
        self._check(name, found, isinstance(found, bool), "true or false")
        return bool(found)

    def inner(self, name: str) -> Fields:
        """Return the fields of a mapping."""
        return self.of(self.raw(name), f"{self.where}: '{name}'", self.error)

    def items(self) -> list[tuple[str, Fields]]:
        """Return all values, each of which must be a mapping, with their names."""
        return [
            (name, self.of(value, f"{self.where}: '{shown(name, most=60)}'", self.error))
            for name, value in self.values.items()
        ]

    def each(self, name: str) -> list[Fields]:
        """Return the fields of each mapping in a list."""
        found = self._list(name)
        return [self.of(each, f"{self.where}: '{name}' {number}", self.error) for number, each in enumerate(found)]

    def listed(self, name: str) -> Sequence[Any]:
        """Return a list of values of any kind."""
        return self._list(name)

    def raw(self, name: str) -> Any:
        """Return a value of any kind."""
        if name not in self.values:
            raise self.error(f"{self.where} lacks '{name}'")
        return self.values[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def _list(self, name: str) -> Sequence[Any]:
        found = self.raw(name)
        self._check(name, found, isinstance(found, list | tuple), "a list")
        return list(found)

    def _of_kind(self, name: str, kind: type, right: str) -> Any:
        found = self.raw(name)
        self._check(name, found, isinstance(found, kind) and not (kind is int and isinstance(found, bool)), right)
        return found

    def _check(self, name: str, value: Any, fits: bool, right: str) -> None:
        if not fits:
            raise self.error(f"{self.where}: '{name}' is {shown_value(value)}; it must be {right}")


def check_plain(
    value: Any, where: str, error: type[Exception] = ForeignError, *, most_values: int = 20_000, most_deep: int = 30
) -> None:
    """Make sure that a value is plain: named values, lists, texts, numbers; not too many, not too deep.

    Raises:
        ForeignError: If it is not; or `error`.
    """
    pending, count = [(value, 0)], 0
    while pending:
        each, depth = pending.pop()
        count += 1
        if depth > most_deep or count > most_values:
            raise error(f"{where} holds too many values, or is nested too deeply")
        if isinstance(each, Mapping):
            Fields.of(each, where, error)
            pending += [(inner, depth + 1) for inner in (*each.keys(), *each.values())]
        elif isinstance(each, list | tuple):
            pending += [(inner, depth + 1) for inner in each]
        elif not _is_plain(each):
            raise error(f"{where} holds {shown_value(each)}; texts, numbers, true and false are right")


def _is_plain(value: Any) -> bool:
    if isinstance(value, int):
        return value.bit_length() < 64
    return value is None or isinstance(value, str | float)
