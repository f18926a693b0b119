"""The checks of `search.doctor` and `search.targets`; each looks at one thing and changes nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path

import psutil
from rich.table import Table
from rich.text import Text

from objectives.device.fingerprint import cpu_fingerprint
from objectives.runtimes.catalogue import RuntimeOption, runtime_options
from objectives.runtimes.names import name_of
from search.record.folders import RunFolder
from search.store.base import StoreError
from search.store.outage.network_mount import refuse_network_file
from search.store.url import mask, parse, sqlite_file
from search.study.definition import load_study
from search.study.faults import DefinitionError
from search.study.names import INSTALLED
from spaces.base import SpaceError
from spaces.display.terminal import ShownConsole
from spaces.shown import print_line

GIB = 2**30
PYTHONS = ((3, 11), (3, 13))
NEEDED = ("torch", "ultralytics", "optuna", "sqlalchemy", "alembic", "pydantic", "safetensors", "moocore", "onnx")
OPTIONAL = {
    "psycopg": "pip install 'psycopg[binary]' (for PostgreSQL)",
    "optuna-dashboard": "pip install optuna-dashboard",
}
LOW_DISK_GIB = 2.0
LOW_MEMORY_GIB = 2.0


class Verdict(StrEnum):
    """Meaning of a check for a run."""

    GOOD = "good"
    WARNING = "warning"  # something optional is missing or scarce
    BROKEN = "broken"  # a run would not start


_MARKS = {Verdict.GOOD: ("ok", "green"), Verdict.WARNING: ("--", "yellow"), Verdict.BROKEN: ("!!", "bold red")}


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    value: str
    verdict: Verdict = Verdict.GOOD


CheckGroup = tuple[str, Sequence[Check]]
"""A title and the checks below it."""


def check_machine() -> list[Check]:
    """Check Python, processor, memory and CUDA devices."""
    memory = psutil.virtual_memory()
    fits = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    wanted = "" if fits else f"; it must be {'.'.join(map(str, PYTHONS[0]))} to {'.'.join(map(str, PYTHONS[1]))}"
    return [
        Check("python", platform.python_version() + wanted, Verdict.GOOD if fits else Verdict.BROKEN),
        Check("system", f"{platform.system()} {platform.release()}"),
        Check("processor", cpu_fingerprint()),
        Check("load", ", ".join(f"{value:.2f}" for value in os.getloadavg()) + " (1, 5, 15 minutes)"),
        Check(
            "memory",
            f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free",
            Verdict.GOOD if memory.available > LOW_MEMORY_GIB * GIB else Verdict.WARNING,
        ),
        *_cuda(),
    ]


def check_packages() -> list[Check]:
    """Check the versions of the packages that a run uses."""
    found = [_package(name, f"pip install {name}", Verdict.BROKEN) for name in NEEDED]
    return found + [_package(name, install, Verdict.WARNING) for name, install in OPTIONAL.items()]


def check_runtimes() -> list[Check]:
    """Check each inference engine with each of its providers; a run needs one that works."""
    checks = [
        Check(
            f"{option.runtime.name}, {option.provider}",
            option.missing or option.runtime.version(),
            Verdict.WARNING if option.missing else Verdict.GOOD,
        )
        for option in runtime_options()
        if option.precision == "fp32"
    ]
    if all(check.verdict is Verdict.WARNING for check in checks):
        checks.append(Check("latency", "no runtime works; pip install onnxruntime", Verdict.BROKEN))
    return checks


def check_run_folder(root: Path) -> Check:
    """Check that the run folder can be written, and its free space."""
    existing = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Check("run folder", f"{root} cannot be written; give another with --project", Verdict.BROKEN)
    free = shutil.disk_usage(existing).free / GIB
    state = "" if root.exists() else ", it will be created"
    return Check(
        "run folder", f"{root}, {free:.1f} GiB free{state}", Verdict.GOOD if free > LOW_DISK_GIB else Verdict.BROKEN
    )


def check_database(url: str) -> Check:
    """Check that the database can be reached, and count its studies. No SQLite file is created."""
    from search.store.migrations.migrate import HEAD  # imports SQLAlchemy: not for --help
    from search.store.sql import open_store

    try:
        file = sqlite_file(parse(url))
        if file is not None:
            refuse_network_file(file)
        if file is not None and not file.exists():
            return Check("database", f"{mask(url)} does not exist yet; the first run creates it")
        found = _schema(url)
        if found is None:
            return Check("database", f"{mask(url)} can be reached; the first run creates our tables")
        if found < HEAD:
            return Check("database", f"{mask(url)}, schema {found}; the next run upgrades it to {HEAD}")
        store = open_store(url)
        try:
            count = len(store.studies())
        finally:
            store.close()
    except (StoreError, OSError) as error:
        return Check("database", str(error), Verdict.BROKEN)
    return Check("database", f"{mask(url)}, schema {found}, {count} {'study' if count == 1 else 'studies'} stored")


def check_studies(wanted: str | None) -> list[Check]:
    """Check the studies that can be run. A fault is an error only in the wanted study."""
    folders = {INSTALLED, Path("studies").absolute()}
    names = {file.stem for folder in folders for file in folder.glob("*.yaml")}
    return [_study(name, name == wanted) for name in sorted(names | {wanted} if wanted else names)]


def _study(name: str, wanted: bool) -> Check:
    try:
        definition = load_study(name)
    except (DefinitionError, SpaceError) as error:
        return Check(name, str(error), Verdict.BROKEN if wanted else Verdict.WARNING)
    return Check(name, definition.description)


def _schema(url: str) -> str | None:
    """Return the version of our tables; creates and changes nothing."""
    from search.store.database import Database
    from search.store.migrations.migrate import version

    found = Database(parse(url))
    try:
        if found.file is None:
            found.prepare()  # fails at once if there is no server
        with found.read() as connection:
            return version(connection)
    finally:
        found.close()


def _package(name: str, install: str, verdict: Verdict) -> Check:
    try:
        return Check(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, f"not installed; {install}", verdict)


def _cuda() -> list[Check]:
    if importlib.util.find_spec("torch") is None:
        return []  # `check_packages` reports it
    import torch

    if not torch.cuda.is_available():
        return [Check("cuda", "no device; training runs on the CPU", Verdict.WARNING)]
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [
        Check(f"cuda:{index}", f"{device.name}, {device.total_memory / GIB:.0f} GiB")
        for index, device in enumerate(devices)
    ]


def check_all(folder: RunFolder, url: str, study: str | None = None) -> list[CheckGroup]:
    """Check everything that a run needs: machine, packages, runtimes, storage, studies.

    Args:
        url: URL of the database.
        study: Name of a study that must be valid; others may be faulty.
    """
    return [
        ("machine", check_machine()),
        ("packages", check_packages()),
        ("runtimes", check_runtimes()),
        ("storage", [check_run_folder(folder.root), check_database(url)]),
        ("studies", check_studies(study)),
    ]


def check_targets() -> list[CheckGroup]:
    """Check every target of every runtime: whether this machine can measure on it, or what is missing."""
    by_runtime = groupby(runtime_options(), key=lambda option: option.runtime.name)
    return [(name, [_target(option) for option in same]) for name, same in by_runtime]


def _target(option: RuntimeOption) -> Check:
    name = name_of(option.runtime.name, option.provider, option.precision)
    return Check(name, str(option), Verdict.WARNING if option.missing else Verdict.GOOD)


def checks_as_plain(groups: Sequence[CheckGroup]) -> list[dict[str, str]]:
    """Return the checks as plain values, each with its group, name, value and verdict."""
    return [{"group": group, **vars(check)} for group, checks in groups for check in checks]


def print_checks(groups: Sequence[CheckGroup]) -> None:
    """Print a table for each group on a terminal; in files and pipes one line for each check."""
    if not sys.stdout.isatty():
        for group, checks in groups:
            for check in checks:
                print_line(f"{_MARKS[check.verdict][0]} {group}: {check.name}: {check.value}")
        return
    for group, checks in groups:
        table = Table(
            title=group, title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 1)
        )
        table.add_column(width=2)
        table.add_column(no_wrap=True, min_width=18)
        table.add_column(overflow="fold")
        for check in checks:
            mark, style = _MARKS[check.verdict]
            table.add_row(Text(mark, style=style), Text(check.name), Text(check.value))
        ShownConsole(soft_wrap=False).print(table, "", sep="\n")
