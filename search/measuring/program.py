"""Makes `measure.pyz`: the measuring protocol as one file for another machine, of the project's own modules."""

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
"""The catalogue is imported where a target is looked up, not at the top of a module."""


def write_program(path: Path) -> Path:
    """Write the program: the modules it begins with, and all of ours that they import at their top.

    What a module imports inside a function stays at home: that is torch and what needs it.
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
    """These modules of ours and all that they import at their top, directly or not, with the files."""
    found: dict[str, Path] = {}
    waiting = list(begin)
    while waiting:
        module = waiting.pop()
        file = _file(module)
        if module in found or not file.is_file():  # a name that is imported from a module, not a module
            continue
        found[module] = file
        waiting += [module.rpartition(".")[0], *_imported(file)] if "." in module else _imported(file)
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
