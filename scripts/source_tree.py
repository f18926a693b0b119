"""Reads the project's Python files without running them: modules, what they import, and what their docstrings say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LAYERS = ("spaces", "objectives", "search", "yolofront", "benchmarks")
"""From below to above: an import may only go to the left."""

ALL_COMMANDS = ("search", "benchmarks")
"""Layers whose top-level files are all commands; of another layer, those that can be run."""

PUBLIC_TABLE = "_PUBLIC"
"""Name of the table of an `__init__` that says what its users find there, and where it lies."""


@dataclass(frozen=True)
class Import:
    """One import of one file: the module or name in full, and where it stands."""

    file: str
    module: str
    line: int
    column: int
    relative: bool = False

    @property
    def package(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]

    @property
    def where(self) -> str:
        """File and line, as an editor takes them."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Module:
    """One Python file: its path relative to the project, with forward slashes, and its text."""

    path: str
    text: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders and file name."""
        return tuple(self.path.split("/"))

    @property
    def layer(self) -> str:
        """The layer that the file belongs to."""
        return self.parts[0]

    @property
    def is_init(self) -> bool:
        """True if the file is the `__init__` of its folder."""
        return self.parts[-1] == "__init__.py"

    @property
    def name(self) -> str:
        """The name that others import it by."""
        return ".".join(self.parts[:-1] if self.is_init else (*self.parts[:-1], self.parts[-1][: -len(".py")]))

    @property
    def unit(self) -> str:
        """Owner of a floor: the wing that the file lies in, or the file itself if it lies at the layer's top."""
        return "/".join(self.parts[:2])

    @property
    def lines(self) -> int:
        """Number of lines."""
        return len(self.text.splitlines())

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def docstring(self) -> str:
        """The docstring; empty if there is none."""
        return ast.get_docstring(self.tree) or ""

    @property
    def is_command(self) -> bool:
        """True if the file is run from a command line: it lies at its layer's top, and nobody may import it."""
        return len(self.parts) == 2 and not self.is_init and (self.layer in ALL_COMMANDS or self.can_be_run)

    @property
    def can_be_run(self) -> bool:
        """True if the file has `if __name__ == "__main__"`."""
        return any(
            isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'" for node in self.tree.body
        )

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import, those inside functions and type checks included."""
        return tuple(self._imports())

    @cached_property
    def offered(self) -> tuple[Import, ...]:
        """Modules, or names in them, that an `__init__` imports on first use: those of its table `_PUBLIC`."""
        return tuple(self._offered()) if self.is_init else ()

    def _offered(self) -> Iterator[Import]:
        tables = (node.value for node in self.tree.body if isinstance(node, ast.Assign) and _is_public_table(node))
        for table in tables:
            for value in table.values if isinstance(table, ast.Dict) else ():
                place = ast.literal_eval(value)
                name = place if isinstance(place, str) else ".".join(place)
                yield Import(self.path, name, value.lineno, value.col_offset)

    def defines(self, name: str) -> bool:
        """Return whether a class or function of that name stands at the file's top."""
        kinds = ast.ClassDef | ast.FunctionDef
        return any(isinstance(node, kinds) and node.name == name for node in self.tree.body)

    def _imports(self) -> Iterator[Import]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(self.path, alias.name, node.lineno, node.col_offset)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    yield Import(self.path, f"{base}.{alias.name}", alias.lineno, node.col_offset, node.level > 0)
            elif isinstance(node, ast.Call) and (name := _imported_by_name(node)):
                yield Import(self.path, name, node.lineno, node.col_offset)

    def _base(self, node: ast.ImportFrom) -> str:
        """The module that names are taken from, in full, also if it is given relative to this file."""
        if not node.level:
            return node.module or ""
        package = self.parts[: len(self.parts) - node.level]
        return ".".join((*package, node.module) if node.module else package)


def _is_public_table(node: ast.Assign) -> bool:
    return [ast.unparse(target) for target in node.targets] == [PUBLIC_TABLE]


def _imported_by_name(node: ast.Call) -> str:
    """The module in `import_module("a.b")`; empty for every other call."""
    first = node.args[0] if node.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return ""
    by_name = ("importlib.import_module", "import_module", "__import__")
    return first.value if ast.unparse(node.func) in by_name else ""


@dataclass(frozen=True)
class SourceTree:
    """All Python files of the layers under one folder."""

    root: Path
    modules: tuple[Module, ...]

    @classmethod
    def read(cls, root: Path) -> SourceTree:
        """Read every file of every layer; a layer that is not there has none."""
        paths = [path for layer in LAYERS for path in sorted((root / layer).rglob("*.py"))]
        return cls(root, tuple(read(root, path) for path in paths))

    @cached_property
    def by_name(self) -> dict[str, Module]:
        """Modules by the name that others import them by."""
        return {module.name: module for module in self.modules}

    def imported(self, found: Import) -> Module | None:
        """The file that an import reads; None if it is not of the layers."""
        name = found.module
        while name and name not in self.by_name:
            name = name.rpartition(".")[0]
        return self.by_name.get(name)

    def arrows(self, module: Module) -> Iterator[tuple[Import, Module]]:
        """Each import of another file of the layers, with that file."""
        for found in module.imports:
            target = self.imported(found)
            if target is not None and target != module:
                yield found, target


def read(root: Path, path: Path) -> Module:
    """Read one file."""
    return Module(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
