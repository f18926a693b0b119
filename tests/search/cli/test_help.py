"""`--help` of every command is quick: it imports no library that only the command's work needs."""

from __future__ import annotations

import subprocess
import sys

from tests.tree import ROOT, sources

HEAVY = ("torch", "ultralytics", "sqlalchemy", "alembic", "optuna", "matplotlib", "scipy", "sklearn", "jinja2", "cv2")
ASKED_FOR_HELP = """
import contextlib, importlib, io, sys
for name in sys.argv[1:]:
    command = importlib.import_module(name)
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as printed:
        command.main(["--help"])
    assert "usage:" in printed.getvalue(), name
print(*sys.modules)
"""


def test_help_imports_no_library_that_only_the_work_needs() -> None:
    commands = [path.stem for path in sources("search") if path.parent == ROOT / "search" and path.stem != "__init__"]
    assert {"run", "report", "dashboard"} <= set(commands)
    modules = [*(f"search.{name}" for name in commands), "spaces.show"]
    called = [sys.executable, "-c", ASKED_FOR_HELP, *modules]
    done = subprocess.run(called, capture_output=True, text=True, cwd=ROOT, check=True)
    assert sorted(set(HEAVY) & set(done.stdout.split())) == []
