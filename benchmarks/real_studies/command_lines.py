"""The project's command lines, called as a user calls them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path


def run_command(module: str, study: str, project: Path, arguments: Iterable[str] = ()) -> None:
    """Run a command on a study, such as `search.run`.

    Raises:
        CalledProcessError: If the command fails.
    """
    fixed = [sys.executable, "-m", module, "--study", study, "--project", str(project)]
    subprocess.run([*fixed, *arguments], check=True)


def override_arguments(values: Mapping[str, str]) -> list[str]:
    """Return the arguments that override settings of a study: `-o key=value`."""
    return [part for name, value in values.items() for part in ("-o", f"{name}={value}")]
