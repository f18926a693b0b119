"""The command line of every command: its name, `key=value` beside options, and one line for each mistake."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from spaces.base import SpaceError
from spaces.shown import TRACEBACK, print_line, shown_value
from spaces.suggestion import did_you_mean


class CommandLineError(SpaceError):
    """Mistake in a command line. The message names the word and what is right; nothing ran."""


class Verbosity(IntEnum):
    """Amount that a command says beside its results and errors."""

    QUIET = -1  # nothing
    NORMAL = 0
    VERBOSE = 1  # each step, and the traceback of a fault of this program


class _ParserMade(BaseException):
    """Carries a command's parser out of its `main`."""

    def __init__(self, parser: CommandParser) -> None:
        self.parser = parser


_CALLED_AS: ContextVar[str] = ContextVar("called_as", default="")
_VERBOSITY: ContextVar[Verbosity] = ContextVar("verbosity", default=Verbosity.NORMAL)
_IS_ASKED_FOR: ContextVar[bool] = ContextVar("is_asked_for", default=False)

_KEY_VALUE = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "none")
_MISTAKES = (
    (r"argument (?P<names>\S+): invalid int value: (?P<value>.*)", "{option} is {value}; it must be a whole number"),
    (r"argument (?P<names>\S+): invalid \w+ value: (?P<value>.*)", "{option} is {value}; it must be {metavar}"),
    (
        r"argument (?P<names>\S+): invalid choice: (?P<value>.*) \(choose from (?P<known>.*)\)",
        "{option} is {value}; {near}",
    ),
    (r"argument (?P<names>\S+): expected one argument", "{option} has no value; write {option} {metavar}"),
    (r"argument (?P<names>\S+): not allowed with argument (?P<other>\S+)", "{option} and {other} exclude each other"),
    (r"the following arguments are required: (?P<names>[^-,][^,]*).*", "{option} is missing; see `{prog} --help`"),
    (r"the following arguments are required: (?P<names>[^,]+).*", "{option} is missing; write {option} {metavar}"),
    (r"one of the arguments (?P<known>.*) is required", "give one of {known}"),
)
"""Messages of argparse as patterns, each with the message that a user reads instead."""


class CommandParser(argparse.ArgumentParser):
    """Parser of one command. Beside `--option value` it reads `option=value`, as Ultralytics' command line does.

    `-q` and `-v` are understood by every command, see `verbosity`.

    Args:
        module: Module of the command: `search.run`.
        fields: Returns the names of fields that `-o` sets: `scale`, and `recipe.lr0`, which is also called `lr0`.
        reasons: Why words of other programs have no meaning here, by their names, with what takes their place.
        options: Those of `argparse.ArgumentParser`.
    """

    def __init__(
        self,
        module: str,
        *,
        fields: Callable[[], Sequence[str]] = tuple,
        reasons: Mapping[str, str] = MappingProxyType({}),
        **options: Any,
    ) -> None:
        super().__init__(prog=_CALLED_AS.get() or f"python -m {module}", **options)
        self._fields, self._reasons = fields, reasons
        self.add_argument("-q", "--quiet", action="store_true", help="say nothing but results and errors")
        self.add_argument("-v", "--verbose", action="store_true", help="say each step; show where a fault came from")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """Return the options as `argparse` does, without `quiet` and `verbose`.

        Raises:
            CommandLineError: If a word is wrong.
        """
        if _IS_ASKED_FOR.get():
            raise _ParserMade(self)
        options = super().parse_args(self._as_options(list(args or ())), namespace)
        _set_verbosity(options.quiet, options.verbose)
        del options.quiet, options.verbose
        return options

    def error(self, message: str) -> NoReturn:
        """Raise the mistake as one line.

        Raises:
            CommandLineError: Always.
        """
        raise CommandLineError(self._explained(message))

    def _explained(self, message: str) -> str:
        if unknown := re.fullmatch(r"unrecognized arguments: (.*)", message, re.DOTALL):
            return self._about_unknown(unknown[1])
        for pattern, text in _MISTAKES:
            if found := re.fullmatch(pattern, message, re.DOTALL):
                return text.format(**self._words(found.groupdict()))
        return message

    def _words(self, found: dict[str, str]) -> dict[str, str]:
        names = found.get("names", "").split("/")
        known = found.get("known", "")
        values = [name.strip("' ") for name in known.split(",")]
        near = did_you_mean(found.get("value", "").strip("'"), values)
        metavars = (each.metavar for each in self._actions if set(names) & {*each.option_strings, each.dest})
        metavar = next((str(each) for each in metavars if each), "VALUE")
        other = found.get("other", "").split("/")[-1]
        return {
            **found,
            "prog": self.prog,
            "option": names[-1],
            "metavar": metavar,
            "near": near,
            "other": other,
            "known": known.replace(" -", ", -"),
        }

    def _about_unknown(self, words: str) -> str:
        word = words.split()[0] if words.startswith("-") else words
        if not word.startswith("-"):
            return f"{shown_value(word)} is too much for `{self.prog}`; see `{self.prog} --help`"
        name = word.partition("=")[0]
        key = name.lstrip("-").replace("-", "_")
        if key in self._reasons:
            return f"{name} has no meaning for `{self.prog}`: {self._reasons[key]}"
        near = did_you_mean(name, self._long_options(), f"see `{self.prog} --help`")
        return f"{name} is no option of `{self.prog}`; {near}"

    def _long_options(self) -> list[str]:
        return [name for action in self._actions for name in action.option_strings if name.startswith("--")]

    def _as_options(self, words: list[str]) -> list[str]:
        """Return the command line with each `key=value` as an option."""
        written: list[str] = []
        while words:
            word = words.pop(0)
            if word == "--":
                return [*written, word, *words]
            if word.startswith("-"):
                written.append(word)
                if words and self._takes_next(word):
                    written.append(words.pop(0))
            elif (found := _KEY_VALUE.fullmatch(word)) and not Path(word).exists():
                written += self._as_option(found[1], found[2])
            else:
                written.append(word)
        return written

    def _takes_next(self, word: str) -> bool:
        """Return whether the next word is certainly the value of this option."""
        if "=" in word:
            return False
        whole = self._option_string_actions.get(word)
        begun = [action for name, action in self._option_string_actions.items() if name.startswith(word)]
        action = whole or (begun[0] if word.startswith("--") and begun else None)
        return action is not None and action.nargs is None

    def _as_option(self, key: str, value: str) -> list[str]:
        if any(not action.option_strings and action.dest == key for action in self._actions):
            return [value]
        option = f"--{key.replace('_', '-')}"
        action = self._option_string_actions.get(option)
        if action is None:
            if "--override" in self._option_string_actions and (field := self._field(key)):
                return ["-o", f"{field}={value}"]
            if key in self._reasons:
                raise CommandLineError(f"{key} has no meaning for `{self.prog}`: {self._reasons[key]}")
            raise CommandLineError(f"{key} is no option of `{self.prog}`; {self._near_key(key)}")
        if action.nargs != 0:
            return [] if value == "None" else [f"{option}={value}"]
        if value.lower() not in (*_YES, *_NO):
            raise CommandLineError(f"{key} is {shown_value(value)}; it must be true or false")
        return [option] if value.lower() in _YES else []

    def _field(self, key: str) -> str | None:
        """Return the field that a key names: `scale`, `recipe.lr0`, and `lr0` for the latter; None if there is none."""
        names = self._fields()
        if "." in key or key in names:
            return key
        return next((name for name in names if name.rpartition(".")[2] == key), None)

    def _near_key(self, key: str) -> str:
        fields = {name.rpartition(".")[2]: name for name in self._fields()}
        positions = [action.dest for action in self._actions if not action.option_strings]
        keys = [*(name[2:].replace("-", "_") for name in self._long_options()), *positions]
        near = did_you_mean(key, [*keys, *fields], f"see `{self.prog} --help`")
        name = near.removeprefix("did you mean ").removesuffix("?")
        return f"did you mean {fields[name]}?" if name in fields and name not in keys else near


@contextmanager
def called_as(name: str) -> Iterator[None]:
    """Let the command that is called in the block have this name in its help and its messages: `yolofront run`."""
    token = _CALLED_AS.set(name)
    try:
        yield
    finally:
        _CALLED_AS.reset(token)


def parser_of(main: Callable[[list[str]], int]) -> CommandParser:
    """Return the parser that a command's `main` makes; the command does nothing else.

    Raises:
        RuntimeError: If it reads its command line in another way.
    """
    token = _IS_ASKED_FOR.set(True)
    try:
        main([])
    except _ParserMade as made:
        return made.parser
    finally:
        _IS_ASKED_FOR.reset(token)
    raise RuntimeError(f"{main.__module__} has no CommandParser")


def verbosity() -> Verbosity:
    """Return how much the command that was parsed last should say."""
    return _VERBOSITY.get()


def print_progress(line: str) -> None:
    """Print a line that is no result: not with `-q`."""
    if verbosity() > Verbosity.QUIET:
        print_line(line)


def _set_verbosity(quiet: bool, verbose: bool) -> None:
    if quiet and verbose:
        raise CommandLineError("--quiet and --verbose exclude each other")
    _VERBOSITY.set(Verbosity.QUIET if quiet else Verbosity.VERBOSE if verbose else Verbosity.NORMAL)
    if verbose:
        os.environ.setdefault(TRACEBACK, "1")
