"""The project's own files, as the tests of the tree read them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("spaces", "objectives", "search")
"""From below to above: an import may only go to the left."""

_NOT_OURS = {".git", "runs", "build", "dist", "__pycache__"}


@dataclass(frozen=True)
class Import:
    """One import of one file: the module named in full, and the line it stands on."""

    file: Path
    module: str
    line: int
    column: int

    @property
    def package(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]

    @property
    def where(self) -> str:
        """File and line, as an editor takes them."""
        return f"{named(self.file)}:{self.line}"


def named(path: Path) -> str:
    """A path relative to the project, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def files(*endings: str) -> Iterator[Path]:
    """All files of the project with one of the endings; environments, caches and runs are left out."""
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name not in _NOT_OURS
            and not name.endswith((".egg-info", "_cache"))
            and not _is_environment(folder, name)
        )
        for name in sorted(names):
            if name.endswith(endings):
                yield Path(folder) / name


def sources(*packages: str) -> list[Path]:
    """The Python files of some packages, all layers if none is named."""
    return [path for package in packages or LAYERS for path in sorted((ROOT / package).rglob("*.py"))]


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import of a file, those inside functions and type checks included."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, alias.name, node.lineno, node.col_offset)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                yield Import(path, f"{node.module}.{alias.name}", node.lineno, node.col_offset)
        elif isinstance(node, ast.ImportFrom):
            yield Import(path, "." * node.level, node.lineno, node.col_offset)


def _is_environment(folder: str, name: str) -> bool:
    return name.startswith((".venv", ".hypothesis")) or (Path(folder) / name / "pyvenv.cfg").exists()
