"""Four layers and their wings: imports go down, in no circle. Ultralytics is kept off the network before it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import layout
from scripts.layout_rules import MOST_FILES, faults, floors
from scripts.source_tree import SourceTree
from scripts.wing_table import BEGIN, END
from tests.tree import imports, project, sources


def test_the_layout_keeps_all_rules_and_the_documents_know_it() -> None:
    assert layout.check(project()) == []


def test_imports_are_absolute() -> None:
    assert [each.where for module in project().modules for each in module.imports if each.relative] == []


def test_ultralytics_is_imported_only_after_it_was_kept_off_the_network() -> None:
    late = []
    for path in sources():
        found = list(imports(path))
        first = min((each.line for each in found if each.package == "ultralytics"), default=None)
        guard = min((each.line for each in found if each.module.startswith("spaces.offline")), default=None)
        if first is not None and (guard is None or guard > first):
            late.append(
                f"{path.name}:{first} needs `import spaces.offline  # noqa: F401  (before ultralytics)` above it"
            )
    assert late == []


def test_what_only_reads_records_and_studies_imports_no_torch_at_its_top() -> None:
    light = (
        "spaces/base.py",
        "objectives/base.py",
        "objectives/recipe.py",
        "search/record/trial.py",
        "search/study/definition.py",
        "search/study/recipe.py",
        "search/study/spaces/base.py",
        "search/study/spaces/baseline.py",
        "search/study/spaces/channels.py",
        "search/study/spaces/graft.py",
        "search/store/base.py",
        "search/cli/command.py",
        "search/findings/leaderboard.py",
    )
    heavy = ("torch", "ultralytics", "optuna", "onnxruntime")
    found = [
        each.where
        for path in sources()
        if path.as_posix().endswith(light)
        for each in imports(path)
        if each.package in heavy and each.column == 0
    ]
    assert found == []


# The rules themselves, each on a small tree that breaks it.

COMMAND = '"""Does it."""\n\nif __name__ == "__main__":\n    print(1)\n'


@pytest.fixture
def made() -> dict[str, str]:
    """A project that keeps every rule; tests add the file that breaks one."""
    return {
        "spaces/base.py": "",
        "objectives/device/target.py": "from spaces.base import Space\n",
        "search/record/trial.py": "import spaces.base\n",
        "search/store/base.py": "from search.record.trial import Trial\n",
        "search/run.py": f"from search.store import base\n{COMMAND}",
        "benchmarks/rungs.py": f"from search.record.trial import Trial\n{COMMAND}",
    }


def _tree(root: Path, files: dict[str, str]) -> SourceTree:
    """The files written and read; folders without an `__init__` get one with a docstring."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for folder in {parent for name in files for parent in (root / name).parents if root in parent.parents}:
        if not (folder / "__init__.py").exists():
            (folder / "__init__.py").write_text(f'"""What {folder.name} holds."""\n')
    return SourceTree.read(root)


def test_a_project_that_keeps_the_rules_has_no_fault(tmp_path: Path, made: dict[str, str]) -> None:
    assert faults(_tree(tmp_path, made)) == []


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("spaces/base.py", "import objectives.device.target", "spaces/base.py:1: spaces/ imports objectives.device"),
        ("spaces/base.py", "def f():\n    from search import run", "spaces/base.py:2: spaces/ imports search.run"),
        ("search/record/trial.py", "import benchmarks.rungs", "search/record/trial.py:1: search/ imports benchmarks"),
        ("benchmarks/rungs.py", "\nfrom tests import tree", "benchmarks/rungs.py:2: benchmarks/ imports tests.tree"),
    ],
)
def test_an_import_of_a_layer_above_is_a_fault(
    tmp_path: Path, made: dict[str, str], file: str, text: str, expected: str
) -> None:
    found = faults(_tree(tmp_path, {**made, file: f"{text}\n"}))
    assert any(fault.startswith(expected) and "imports only go down" in fault for fault in found)


BACK = {
    "lazy": "def f() -> None:\n    from search.record.front import Front\n",
    "for types only": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import search.record.front\n",
    "relative": "from .front import Front\n",
    "relative, of the module": "from . import front\n",
    "by its name": 'import importlib\nimportlib.import_module("search.record.front")\n',
}


@pytest.mark.parametrize("back", BACK)
def test_files_that_import_each_other_are_a_fault(tmp_path: Path, made: dict[str, str], back: str) -> None:
    files = {"search/record/trial.py": BACK[back], "search/record/front.py": "from search.record import trial\n"}
    (fault,) = faults(_tree(tmp_path, {**made, **files}))
    line = BACK[back].count("\n")
    assert "circle of files" in fault
    assert f"search/record/trial.py (search/record/trial.py:{line}) -> " in fault
    assert "search/record/front.py (search/record/front.py:1) -> " in fault


@pytest.mark.parametrize("back", ["from search.store import sql\n", "def f() -> None:\n    import search.store.sql\n"])
def test_wings_that_import_each_other_are_a_fault_even_if_no_files_do(
    tmp_path: Path, made: dict[str, str], back: str
) -> None:
    """Here `search/store/base.py` imports the wing `record`, and `record` another file of the store."""
    found = faults(_tree(tmp_path, {**made, "search/store/sql.py": "", "search/record/front.py": back}))
    assert [fault.partition(": ")[2].partition(":")[0] for fault in found] == ["circle of wings"]
    assert f"search/record (search/record/front.py:{back.count(chr(10))}) -> " in found[0]
    assert "search/store (search/store/base.py:1) -> " in found[0]


def test_two_circles_are_two_faults(tmp_path: Path, made: dict[str, str]) -> None:
    pairs = {f"search/record/{one}.py": f"import search.record.{other}\n" for one, other in ("ab", "ba", "cd", "dc")}
    assert len(faults(_tree(tmp_path, {**made, **pairs}))) == 2


@pytest.mark.parametrize("number", [MOST_FILES, MOST_FILES + 1])
def test_a_folder_with_too_many_files_is_a_fault(tmp_path: Path, made: dict[str, str], number: int) -> None:
    """`base.py` and `__init__.py` are counted, and the files of a folder inside are not."""
    parts = {f"search/store/part{part}.py": "" for part in range(number - 2)}
    found = faults(_tree(tmp_path, {**made, **parts, "search/store/versions/v1.py": ""}))
    fault = f"search/store/__init__.py:1: search/store/ holds {number} Python files; at most {MOST_FILES}"
    assert found == ([] if number == MOST_FILES else [fault])


@pytest.mark.parametrize(
    ("file", "text", "command"),
    [
        ("search/store/sql.py", "def f() -> None:\n    from search import run\n", "search.run"),
        ("search/report.py", f"import os\nimport search.run\n{COMMAND}", "search.run"),
        ("benchmarks/page.py", f"import os\nfrom benchmarks.rungs import main\n{COMMAND}", "benchmarks.rungs"),
        ("objectives/cost.py", "\nfrom spaces.show import main\n", "spaces.show"),
    ],
)
def test_an_imported_command_is_a_fault(
    tmp_path: Path, made: dict[str, str], file: str, text: str, command: str
) -> None:
    made["spaces/show.py"] = COMMAND
    (fault,) = faults(_tree(tmp_path, {**made, file: text}))
    assert fault.startswith(f"{file}:2: imports {command}, a command")


@pytest.mark.parametrize("stranger", ["search/helper.py", "search/notes.txt", "search/html/page.html"])
def test_what_is_neither_a_command_nor_a_wing_at_the_top_of_search_is_a_fault(
    tmp_path: Path, made: dict[str, str], stranger: str
) -> None:
    tree = _tree(tmp_path, made)
    (tmp_path / stranger).parent.mkdir(exist_ok=True)
    (tmp_path / stranger).write_text("")
    found = faults(SourceTree.read(tree.root))
    assert [fault.partition(": ")[2] for fault in found] == [
        "neither a command nor a wing; only these lie at the top of search/"
    ]


def test_an_init_holds_only_its_docstring(tmp_path: Path, made: dict[str, str]) -> None:
    found = faults(_tree(tmp_path, {**made, "search/store/__init__.py": "from search.store.base import Store\n"}))
    assert found == [
        "search/store/__init__.py:1: an __init__ imports search.store.base; whoever needs it imports it from there",
        "search/store/__init__.py:1: no docstring; its first line says what the wing holds",
    ]


OFFERS = {
    '{"base": "search.store.base"}': "",
    '{"Store": ("search.store.base", "Store")}': "",
    '{"base": "search.stores.base"}': "search/store/__init__.py:2: offers search.stores.base, but "
    "search/__init__.py defines no stores.base",
    '{"run": "search.store.base.run"}': "search/store/__init__.py:2: offers search.store.base.run, but "
    "search/store/base.py defines no run",
    '{"Store": ("search.store.base", "Shop")}': "search/store/__init__.py:2: offers search.store.base.Shop, but "
    "search/store/base.py defines no Shop",
    '{"Target": ("objectives.device.target", "Target")}': "search/store/__init__.py:2: offers "
    "objectives.device.target.Target, which is no module of search/",
    '{"gone": "gone.base"}': "search/store/__init__.py:2: offers gone.base, which is no module of search/",
}


@pytest.mark.parametrize("table", OFFERS)
def test_an_init_may_offer_modules_and_names_of_its_layer_that_are_there(
    tmp_path: Path, made: dict[str, str], table: str
) -> None:
    made["search/store/base.py"] = "class Store: ...\n"
    found = faults(_tree(tmp_path, {**made, "search/store/__init__.py": f'"""Records."""\n_PUBLIC = {table}\n'}))
    assert found == list(filter(None, [OFFERS[table]]))


def test_a_floor_is_one_above_the_highest_that_a_wing_imports(tmp_path: Path, made: dict[str, str]) -> None:
    made["search/work/worker.py"] = (
        "import spaces.base\nfrom search.store import base\nfrom search.record import trial\n"
    )
    made["search/study/names.py"] = "import search.study.rows\n"
    made["search/study/rows.py"] = "import spaces.base\n"
    expected = {"search/record": 0, "search/study": 0, "search/store": 1, "search/work": 2}
    assert floors(_tree(tmp_path, made), "search") == expected


def test_a_file_beside_the_wings_has_a_floor_of_its_own(tmp_path: Path, made: dict[str, str]) -> None:
    made["objectives/cost.py"] = "from objectives.device.target import Target\n"
    assert floors(_tree(tmp_path, made), "objectives") == {"objectives/device": 0, "objectives/cost.py": 1}


def test_the_command_prints_the_wings_and_fails_with_one_line_a_fault(
    tmp_path: Path, made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "flow.md").write_text(f"# Flow\n{BEGIN}\nold\n{END}\nMore.\n")
    _tree(tmp_path, made)
    assert layout.main([], root=tmp_path) == 1
    assert "the table of wings is out of date" in capsys.readouterr().err
    assert layout.main(["--write"], root=tmp_path) == 0
    page = (tmp_path / "docs" / "flow.md").read_text()
    assert page.startswith(f"# Flow\n{BEGIN}\n### benchmarks\n") and page.endswith(f"{END}\nMore.\n")
    assert "| 1 | `search/store` | What store holds. | |" in page
    out = capsys.readouterr().out
    assert "search: 6 files" in out and "What store holds." in out

    _tree(tmp_path, {**made, "search/record/trial.py": "from search.store import base\nfrom search import run\n"})
    assert layout.main([], root=tmp_path) == 1
    errors = capsys.readouterr().err.splitlines()
    assert all(line.startswith("error: ") for line in errors)
    assert any("search/record/trial.py:2: imports search.run" in line for line in errors)
    assert any("circle of wings" in line for line in errors)


def test_what_one_adds_to_a_wing_stands_in_the_table(tmp_path: Path, made: dict[str, str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "flow.md").write_text("# Flow\n")
    docstring = '"""The records.\n\nNot this.\n\nTo add a table: a model\nand a migration.\n"""\n'
    _tree(tmp_path, {**made, "search/store/__init__.py": docstring})
    assert layout.main(["--write"], root=tmp_path) == 0
    page = (tmp_path / "docs" / "flow.md").read_text()
    assert "| 1 | `search/store` | The records. | To add a table: a model and a migration. |" in page
