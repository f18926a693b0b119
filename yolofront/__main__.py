"""The command `yolofront`, also as `python -m yolofront`."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Iterator, Sequence

from spaces.command_line import CommandLineError, called_as
from spaces.shown import print_error, print_line, shown_value
from spaces.suggestion import did_you_mean
from yolofront.commands import BY_NAME, COMMANDS

USAGE = 2
"""Exit code of a wrong command line, as for every command."""
BEFORE_COMMAND = ("-q", "--quiet", "-v", "--verbose")
"""Options that may stand before the command as well as after it."""
COMPLETION = "--print-completion"
SHELLS = ("bash", "zsh", "tcsh")
OF_YOLO = {
    "train": "`yolofront run` trains and searches",
    "tune": "`yolofront run` trains and searches",
    "val": "`yolofront report` shows each network's figures, and `yolo val` takes an exported one",
    "predict": "`yolofront export` writes a network that `yolo predict` takes",
    "track": "`yolofront export` writes a network that `yolo track` takes",
    "benchmark": "`yolofront bench` measures a network",
    "checks": "`yolofront doctor` checks this machine",
    "cfg": "`yolofront run --study NAME --print-config` shows all values",
}
"""Hints for commands of Ultralytics: the command of ours that does the same."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Call the command that the arguments name; those of the process by default. Return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _main(words)
    except CommandLineError as error:
        print_error(error)
        return USAGE


def _main(words: list[str]) -> int:
    passed_on: list[str] = []
    while words and words[0] in BEFORE_COMMAND:
        passed_on.append(words.pop(0))
    first = words[0] if words else "--help"
    if first in ("-h", "--help") or words == ["help"]:
        print_line("\n".join(_help_lines()))
        return 0
    if first in ("-V", "--version"):
        print_line(f"yolofront {importlib.metadata.version('yolofront')}")
        return 0
    if first.partition("=")[0] == COMPLETION:
        return _print_completion(first.partition("=")[2] or " ".join(words[1:]))
    if first == "help":
        return _call(words[1], ["--help"])
    return _call(first, [*passed_on, *words[1:]])


def _call(name: str, arguments: list[str]) -> int:
    if name not in BY_NAME:
        raise CommandLineError(_about_unknown(name))
    from search.cli.command import run_command  # the list of commands does not need it

    command = importlib.import_module(BY_NAME[name].module)
    with called_as(f"yolofront {name}"):
        return run_command(command.main, arguments)


def _about_unknown(name: str) -> str:
    if name.startswith("-"):
        options = ("--help", "--version", COMPLETION, *BEFORE_COMMAND)
        return f"{name} is no option of `yolofront`; {did_you_mean(name, options, 'options follow the command')}"
    if "=" in name:
        return f"the command is missing; write: yolofront run {name} ..."
    meant = OF_YOLO.get(name) or did_you_mean(name, BY_NAME)
    return f"{shown_value(name)} is no command of `yolofront`; {meant}"


def _help_lines() -> Iterator[str]:
    yield "usage: yolofront [-h] [--version] [-q | -v] COMMAND [OPTION ...]"
    yield ""
    yield "Search pruned and grafted YOLO detectors for the front of accuracy against measured latency."
    yield ""
    yield "commands:"
    for command in COMMANDS:
        also = f" (also: {command.alias})" if command.alias else ""
        yield f"  {command.name:<10} {command.summary}{also}"
    yield ""
    yield "options:"
    yield "  -h, --help               show this list; `yolofront COMMAND --help` shows the options of a command"
    yield "  -V, --version            show the version"
    yield "  -q, --quiet              say nothing but results and errors"
    yield "  -v, --verbose            say each step; show where a fault came from"
    yield f"  {COMPLETION} SHELL print the completions for {', '.join(SHELLS)}: add them to the shell's start-up file"
    yield ""
    yield "An option can be written `--epochs 5`, or `epochs=5` as in Ultralytics' command line:"
    yield "  yolofront run --study nas_head --model best.pt --data my.yaml --epochs 5"
    yield "  yolofront run study=nas_head model=best.pt data=my.yaml epochs=5"


def _print_completion(shell: str) -> int:
    if shell not in SHELLS:
        raise CommandLineError(f"{COMPLETION} is {shown_value(shell)}; {did_you_mean(shell, SHELLS)}")
    from yolofront.completion import completion

    print_line(completion(shell).removesuffix("\n"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
