"""Completions of the command line for a shell. They are written once, so that pressing Tab starts no Python."""

from __future__ import annotations

import argparse
import importlib

import shtab

from spaces.command_line import called_as, parser_of
from yolofront.commands import COMMANDS

FOLDERS = ("DIR",)
FILES = ("YAML", "FILE", "MODEL", "OUT", "PNG")
"""Metavars of options whose values are files."""


def completion(shell: str) -> str:
    """Return the script that completes `yolofront` in a shell: `bash`, `zsh` or `tcsh`."""
    return str(shtab.complete(whole_parser(), shell=shell))


def whole_parser() -> argparse.ArgumentParser:
    """Return one parser with all commands below it. It imports the modules of all commands."""
    whole = argparse.ArgumentParser(prog="yolofront")
    whole.add_argument("--version", action="store_true", help="show the version")
    below = whole.add_subparsers(dest="command")
    for command in COMMANDS:
        with called_as(f"yolofront {command.name}"):
            parser = parser_of(importlib.import_module(command.module).main)
        aliases = [command.alias] if command.alias else []
        added = below.add_parser(command.name, aliases=aliases, help=command.summary, parents=[parser], add_help=False)
        for action in added._actions:
            if action.metavar in (*FOLDERS, *FILES):
                complete = shtab.DIRECTORY if action.metavar in FOLDERS else shtab.FILE
                action.complete = complete  # type: ignore[attr-defined]
    return whole
