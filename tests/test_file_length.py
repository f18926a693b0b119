"""Files that one can read at a sitting, named after what they hold, free of the machine they were written on."""

from __future__ import annotations

import re

from tests.tree import ROOT, files, named, project, sources

LIMIT = 300
"""Lines. A longer file has two subjects."""

DRAWERS = re.compile(r"(^|_)(utils?|common|helpers?|misc|tools?|stuff|base_?utils|constants)(_|$)")
"""Names that say nothing; whatever is in such a file belongs to something that has a name."""

TEXT = (
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".html",
    ".j2",
    ".js",
    ".css",
    ".cfg",
    ".ini",
    "Makefile",
    "run",
    "check",
    "test",
)

WORD = re.compile(r"\b(?:spaces|objectives|search|yolofront|benchmarks)(?:\.\w+)+")
"""A module's name in full, as it stands in a text."""

# Written in parts, so that this file does not find itself.
MACHINE = re.compile(
    r"(?<!\w)/" + "|".join(("(work", "root)/", "/opt/" + "(wheels|pypi)", r"/home/\w+/", r"[A-Z]:\\" + "Users"))
)
SECRET = re.compile(r"BEGIN [A-Z ]*PRIVATE KEY|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}")


def test_no_file_is_longer_than_one_can_read_at_a_sitting() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files(".py")}
    assert {name: length for name, length in lengths.items() if length > LIMIT} == {}


def test_no_file_is_a_drawer() -> None:
    assert [
        named(path)
        for path in sources()
        if any(DRAWERS.search(part.removesuffix(".py")) for part in path.relative_to(ROOT).parts)
    ] == []


def test_no_file_names_the_machine_it_was_written_on() -> None:
    found = []
    for path in files(*TEXT):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if MACHINE.search(line) or SECRET.search(line):
                found.append(f"{named(path)}:{number}: {line.strip()[:120]}")
    assert found == []


def test_every_module_is_used_by_another_or_is_a_command() -> None:
    """A module that nobody imports or names in full is dead, unless it is run."""
    tree = project()
    used = set()
    for module in tree.modules:
        used |= {target.name for _, target in tree.arrows(module)}
        named_in_full = {tree.by_name[name].name for name in WORD.findall(module.text) if name in tree.by_name}
        used |= named_in_full - {module.name}
    dead = [
        module.name
        for module in tree.modules
        if not (module.is_init or module.can_be_run or "migrations" in module.parts or module.name in used)
    ]
    assert dead == []
