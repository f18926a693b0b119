"""The commands of `yolofront`: their names, the modules that do the work, and one line about each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: Name on the command line.
        module: Module whose `main` is called.
        summary: One line for the list of commands.
        alias: A second name; empty if there is none.
    """

    name: str
    module: str
    summary: str
    alias: str = ""


COMMANDS = (
    Command("run", "search.run", "run a study, or continue it"),
    Command("report", "search.report", "print the table of a study and write its report"),
    Command("compare", "search.compare", "compare networks, and list the differences between two"),
    Command("confirm", "search.confirm", "measure the latency of the front again, side by side", "remeasure"),
    Command("polish", "search.polish", "train the networks of the front for longer", "finetune"),
    Command("export", "search.export", "export a network: ONNX, .pt, OpenVINO, ..."),
    Command("dashboard", "search.dashboard", "show a study in optuna-dashboard"),
    Command("show", "spaces.show", "show what can be cut of a model"),
    Command("bench", "search.bench", "measure the latency of any network, here or on another machine"),
    Command("targets", "search.targets", "list the targets that latency can be measured on here"),
    Command("widths", "search.widths", "find the channel counts that a target runs fastest"),
    Command("doctor", "search.doctor", "check this machine"),
    Command("submit", "search.submit", "submit jobs to a cluster that work on a study"),
    Command("jobs", "search.jobs", "show, cancel or read the jobs of a study"),
)
"""All commands, in the order of the list that `yolofront --help` prints."""

BY_NAME = {name: command for command in COMMANDS for name in (command.name, command.alias) if name}
"""The commands by each of their names."""
