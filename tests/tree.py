"""The project's own files, as the tests of the tree read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from scripts import source_tree
from scripts.source_tree import Import, SourceTree

ROOT = Path(__file__).resolve().parent.parent
LAYERS = tuple(layer for layer in source_tree.LAYERS if layer != "benchmarks")
"""The product's layers, from below to above; the benchmarks stand on them and are not installed."""

_NOT_OURS = {".git", "runs", "build", "dist", "__pycache__"}


@cache
def project() -> SourceTree:
    """All modules of the layers, benchmarks included; read once."""
    return SourceTree.read(ROOT)


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
    return source_tree.read(ROOT, path).imports


def _is_environment(folder: str, name: str) -> bool:
    return name.startswith((".venv", ".hypothesis")) or (Path(folder) / name / "pyvenv.cfg").exists()
