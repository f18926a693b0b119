"""Make `measure.pyz`: the measuring protocol as one file for another machine, made of the project's own modules."""

from __future__ import annotations

import ast
import shutil
import tempfile
import zipapp
from collections.abc import Iterator
from pathlib import Path

import objectives
import spaces

PACKAGES = {package.__name__: Path(next(iter(package.__path__))) for package in (spaces, objectives)}
ENTRY_MODULE = "objectives.remote.start"
ROOT_MODULES = (ENTRY_MODULE, "objectives.remote.measure", "objectives.runtimes.catalogue")
"""Modules that the program begins with. The catalogue is imported inside a function, so it must be named."""


def write_program(path: Path) -> Path:
    """Write the program: `ROOT_MODULES` and all of our modules that they import at their top.

    Imports inside functions are left out: these are torch and modules that need it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in modules_needed_by(*ROOT_MODULES).values():
            package = next(place for place in PACKAGES.values() if source.is_relative_to(place))
            copied = folder / package.name / source.relative_to(package)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copied)
        shutil.copyfile(_file(ENTRY_MODULE), folder / "__main__.py")
        zipapp.create_archive(folder, path, interpreter="/usr/bin/env python3", compressed=True)
    return path


def modules_needed_by(*begin: str) -> dict[str, Path]:
    """Return these modules and all of ours that they import at their top, directly or not, with their files."""
    found: dict[str, Path] = {}
    pending = list(begin)
    while pending:
        module = pending.pop()
        file = _file(module)
        if module in found or not file.is_file():  # a name inside a module, not a module
            continue
        found[module] = file
        pending += [module.rpartition(".")[0], *_imported(file)] if "." in module else _imported(file)
    return found


def _file(module: str) -> Path:
    package, *rest = module.split(".")
    place = PACKAGES[package].joinpath(*rest)
    return place / "__init__.py" if place.is_dir() else place.with_name(f"{place.name}.py")


def _imported(file: Path) -> Iterator[str]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in PACKAGES)
