"""Rules of the project's layout. Each fault is one line that begins with the file and line it is found at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from scripts.source_tree import LAYERS, Module, SourceTree

MOST_FILES = 18
"""Maximum number of Python files in a folder, `__init__.py` counted: more do not fit into one look."""

NEVER_IMPORTED = ("tests", "scripts", "studies")
"""Top-level folders that no layer may import."""

Arrows = dict[str, dict[str, str]]
"""For each file or unit what it imports, and where the first such import stands."""


@dataclass(frozen=True)
class Circle:
    """Names that import each other in a circle; the first one is named again at the end."""

    names: tuple[str, ...]
    places: tuple[str, ...]

    def text(self, what: str) -> str:
        """One line: where each arrow of the circle stands."""
        arrows = (f"{name} ({place}) -> " for name, place in zip(self.names, self.places, strict=False))
        return f"{self.places[0]}: circle of {what}: {''.join(arrows)}{self.names[-1]}"


def faults(tree: SourceTree) -> list[str]:
    """All faults of the layout."""
    rules = (upward, file_circles, wing_circles, full_folders, imported_commands, strangers_at_the_top, inits, offers)
    return list(dict.fromkeys(fault for rule in rules for fault in rule(tree)))


def upward(tree: SourceTree) -> Iterator[str]:
    """Imports of a layer above, or of what no layer may import."""
    for module in tree.modules:
        forbidden = (*LAYERS[LAYERS.index(module.layer) + 1 :], *NEVER_IMPORTED)
        for found in module.imports:
            if found.package in forbidden:
                yield f"{found.where}: {module.layer}/ imports {found.module}; imports only go down: {_downward()}"


def file_circles(tree: SourceTree) -> Iterator[str]:
    """Files that import each other in a circle, whether at their top, lazily or for types only."""
    arrows: Arrows = {module.path: {} for module in tree.modules}
    for module in tree.modules:
        for found, target in tree.arrows(module):
            arrows[module.path].setdefault(target.path, found.where)
    for circle in circles(arrows):
        yield circle.text("files")


def wing_circles(tree: SourceTree) -> Iterator[str]:
    """Wings, or files beside them, that import each other in a circle."""
    for layer in LAYERS:
        for circle in circles(unit_arrows(tree, layer)):
            if not all(name.endswith(".py") for name in circle.names):
                yield circle.text("wings")


def full_folders(tree: SourceTree) -> Iterator[str]:
    """Folders with too many Python files."""
    numbers = Counter(module.path.rpartition("/")[0] for module in tree.modules)
    for folder, number in sorted(numbers.items()):
        if number > MOST_FILES:
            yield f"{folder}/__init__.py:1: {folder}/ holds {number} Python files; at most {MOST_FILES}"


def imported_commands(tree: SourceTree) -> Iterator[str]:
    """Imports of a command by another file: what both need belongs below them."""
    for module in tree.modules:
        for found, target in tree.arrows(module):
            if target.is_command:
                yield f"{found.where}: imports {target.name}, a command; what others need belongs into a wing"


def strangers_at_the_top(tree: SourceTree) -> Iterator[str]:
    """Yield files and folders at the top of `search/` that are neither a command nor a wing."""
    top = tree.root / "search"
    for path in sorted(top.iterdir()) if top.is_dir() else ():
        if path.name in ("__init__.py", "__pycache__", "py.typed"):
            continue
        if path.is_dir():
            kept = (path / "__init__.py").exists()
        else:
            module = tree.by_name.get(f"search.{path.stem}")
            kept = path.suffix == ".py" and module is not None and module.can_be_run
        if not kept:
            yield f"search/{path.name}:1: neither a command nor a wing; only these lie at the top of search/"


def inits(tree: SourceTree) -> Iterator[str]:
    """`__init__` files that import from the layers, or that say nothing about their wing."""
    for module in tree.modules:
        if not module.is_init:
            continue
        for found, target in tree.arrows(module):
            yield f"{found.where}: an __init__ imports {target.name}; whoever needs it imports it from there"
        if not module.docstring:
            yield f"{module.path}:1: no docstring; its first line says what the wing holds"


def offers(tree: SourceTree) -> Iterator[str]:
    """Yield names that an `__init__` offers in its table, and that are not there or lie in another layer."""
    for module in tree.modules:
        for found in module.offered:
            target = tree.imported(found)
            if target is None or target.layer != module.layer:
                yield f"{found.where}: offers {found.module}, which is no module of {module.layer}/"
                continue
            name = found.module.removeprefix(target.name).removeprefix(".")
            if name and not target.defines(name):
                yield f"{found.where}: offers {found.module}, but {target.path} defines no {name}"


def floors(tree: SourceTree, layer: str) -> dict[str, int]:
    """The floor of each wing, and of each file beside the wings: 0, or one above the highest that it imports."""
    arrows = unit_arrows(tree, layer)
    list(circles(arrows))  # leaves no circle in `arrows`
    floor: dict[str, int] = {}
    for unit in TopologicalSorter({unit: list(targets) for unit, targets in arrows.items()}).static_order():
        floor[unit] = 1 + max((floor[target] for target in arrows[unit]), default=-1)
    return floor


def unit_arrows(tree: SourceTree, layer: str) -> Arrows:
    """Return the imports among the wings and files of a layer; commands are left out, for they stand above all."""
    arrows: Arrows = {module.unit: {} for module in tree.modules if module.layer == layer and _has_floor(module)}
    for module in tree.modules:
        if module.unit in arrows:
            for found, target in tree.arrows(module):
                if target.unit in arrows and target.unit != module.unit:
                    arrows[module.unit].setdefault(target.unit, found.where)
    return arrows


def circles(arrows: Arrows) -> Iterator[Circle]:
    """Circles one after another. The last arrow of each is taken out of `arrows`, so that the next can be found."""
    while names := _circle(arrows):
        places = tuple(arrows[name][target] for name, target in pairwise(names))
        del arrows[names[-2]][names[-1]]
        yield Circle(names, places)


def _circle(arrows: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """One circle, in the direction of the imports; empty if there is none."""
    try:
        TopologicalSorter({name: sorted(targets) for name, targets in arrows.items()}).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()


def _has_floor(module: Module) -> bool:
    return not module.is_command and module.unit != f"{module.layer}/__init__.py"


def _downward() -> str:
    return " -> ".join(reversed(LAYERS))
