"""The checks behind `search.doctor`: each looks at one thing and changes nothing."""

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
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from objectives.device.fingerprint import cpu_fingerprint
from objectives.runtimes.catalogue import ways
from search.store.base import StoreError
from search.store.database import Database
from search.store.migrations.migrate import HEAD, version
from search.store.sql import open_store
from search.store.url import mask, parse, sqlite_file
from search.study.definition import load_study
from search.study.faults import DefinitionError
from search.study.names import INSTALLED
from spaces.base import SpaceError

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
    """What a finding means for a run."""

    GOOD = "good"
    WARNING = "warning"  # something optional is missing, or short
    BROKEN = "broken"  # a run would not start


MARKS = {Verdict.GOOD: ("ok", "green"), Verdict.WARNING: ("--", "yellow"), Verdict.BROKEN: ("!!", "bold red")}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    value: str
    verdict: Verdict = Verdict.GOOD


def machine() -> list[Finding]:
    """Python, processor, memory, CUDA devices."""
    memory = psutil.virtual_memory()
    fits = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    wanted = "" if fits else f"; it must be {'.'.join(map(str, PYTHONS[0]))} to {'.'.join(map(str, PYTHONS[1]))}"
    return [
        Finding("python", platform.python_version() + wanted, Verdict.GOOD if fits else Verdict.BROKEN),
        Finding("system", f"{platform.system()} {platform.release()}"),
        Finding("processor", cpu_fingerprint()),
        Finding("load", ", ".join(f"{value:.2f}" for value in os.getloadavg()) + " (1, 5, 15 minutes)"),
        Finding(
            "memory",
            f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free",
            Verdict.GOOD if memory.available > LOW_MEMORY_GIB * GIB else Verdict.WARNING,
        ),
        *_cuda(),
    ]


def packages() -> list[Finding]:
    """Versions of the packages that matter."""
    found = [_package(name, f"pip install {name}", Verdict.BROKEN) for name in NEEDED]
    return found + [_package(name, install, Verdict.WARNING) for name, install in OPTIONAL.items()]


def runtimes() -> list[Finding]:
    """Each inference engine with each of its providers; one that works is needed. Precisions: `search.targets`."""
    findings = [
        Finding(
            f"{way.runtime.name}, {way.provider}",
            way.missing or way.runtime.version(),
            Verdict.WARNING if way.missing else Verdict.GOOD,
        )
        for way in ways()
        if way.precision == "fp32"
    ]
    if all(finding.verdict is Verdict.WARNING for finding in findings):
        findings.append(Finding("latency", "no runtime works; pip install onnxruntime", Verdict.BROKEN))
    return findings


def run_folder_state(root: Path) -> Finding:
    """Whether the run folder can be written, and how much room it has."""
    existing = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding("run folder", f"{root} cannot be written; give another with --project", Verdict.BROKEN)
    free = shutil.disk_usage(existing).free / GIB
    state = "" if root.exists() else ", it will be made"
    return Finding(
        "run folder", f"{root}, {free:.1f} GiB free{state}", Verdict.GOOD if free > LOW_DISK_GIB else Verdict.BROKEN
    )


def database(url: str) -> Finding:
    """Whether the database can be reached, and what it holds. An SQLite file that is not there is not made."""
    try:
        file = sqlite_file(parse(url))
        if file is not None and not file.exists():
            return Finding("database", f"{mask(url)} is not there yet; the first run makes it")
        found = _schema(url)
        if found is None:
            return Finding("database", f"{mask(url)} can be reached; the first run makes our tables")
        if found < HEAD:
            return Finding("database", f"{mask(url)}, schema {found}; the next run brings it to {HEAD}")
        store = open_store(url)
        try:
            count = len(store.studies())
        finally:
            store.close()
    except (StoreError, OSError) as error:
        return Finding("database", str(error), Verdict.BROKEN)
    return Finding("database", f"{mask(url)}, schema {found}, {count} {'study' if count == 1 else 'studies'} stored")


def studies(wanted: str | None) -> list[Finding]:
    """The studies that can be run. One that is asked for must be right; of the others it is only said."""
    folders = {INSTALLED, Path("studies").absolute()}
    names = {file.stem for folder in folders for file in folder.glob("*.yaml")}
    return [_study(name, name == wanted) for name in sorted(names | {wanted} if wanted else names)]


def _study(name: str, wanted: bool) -> Finding:
    try:
        definition = load_study(name)
    except (DefinitionError, SpaceError) as error:
        return Finding(name, str(error), Verdict.BROKEN if wanted else Verdict.WARNING)
    return Finding(name, definition.description)


def _schema(url: str) -> str | None:
    """The version of our tables, without making or changing anything."""
    found = Database(parse(url))
    try:
        if found.file is None:
            found.prepare()  # fails at once where there is no server
        with found.read() as connection:
            return version(connection)
    finally:
        found.close()


def _package(name: str, install: str, verdict: Verdict) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, f"not installed; {install}", verdict)


def _cuda() -> list[Finding]:
    if importlib.util.find_spec("torch") is None:
        return []  # said among the packages
    import torch

    if not torch.cuda.is_available():
        return [Finding("cuda", "no device; training runs on the CPU", Verdict.WARNING)]
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [
        Finding(f"cuda:{index}", f"{device.name}, {device.total_memory / GIB:.0f} GiB")
        for index, device in enumerate(devices)
    ]


def show(groups: Sequence[tuple[str, Sequence[Finding]]]) -> None:
    """A table on a terminal; elsewhere one line a finding, for logs and grep."""
    if not sys.stdout.isatty():
        for group, findings in groups:
            for finding in findings:
                print(f"{MARKS[finding.verdict][0]} {group}: {finding.name}: {finding.value}")
        return
    for group, findings in groups:
        table = Table(
            title=group, title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 1)
        )
        table.add_column(width=2)
        table.add_column(no_wrap=True, min_width=18)
        table.add_column(overflow="fold")
        for finding in findings:
            mark, style = MARKS[finding.verdict]
            table.add_row(Text(mark, style=style), Text(finding.name), Text(finding.value))
        Console().print(table, "", sep="\n")
