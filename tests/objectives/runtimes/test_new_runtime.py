"""A new runtime needs one file and one line in the catalogue: a copy of the project gets one and measures with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from objectives.device.lock_files import FOLDER
from tests.objectives.runtimes import relay, use_new_runtime
from tests.tree import LAYERS, ROOT

pytestmark = pytest.mark.slow(file_s=75)

LINE = "from objectives.runtimes.relay import Relay\n"


def with_relay(folder: Path) -> Path:
    """Return a copy of the layers with the file of another runtime, and its line in the catalogue."""
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, folder / layer, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(relay.__file__, folder / "objectives" / "runtimes" / "relay.py")
    catalogue = folder / "objectives" / "runtimes" / "catalogue.py"
    text = catalogue.read_text(encoding="utf-8")
    changed = text.replace("TorchCompiled())", "TorchCompiled(), Relay())").replace(
        "\nRUNTIMES", f"{LINE}\nRUNTIMES", 1
    )
    assert changed.count("Relay") == text.count("Relay") + 2
    catalogue.write_text(changed, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the output of a program in that copy about the new runtime."""
    project = with_relay(tmp_path_factory.mktemp("project"))
    scratch, locks = tmp_path_factory.mktemp("scratch"), tmp_path_factory.mktemp("locks")
    done = subprocess.run(
        [sys.executable, "-P", use_new_runtime.__file__, "relay-host", str(scratch)],
        capture_output=True,
        text=True,
        check=False,
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project), FOLDER: str(locks)},
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert answer["project"] == str(project)
    return answer | {"lock files": sorted(path.name for path in locks.iterdir())}


def test_the_new_runtime_measures_in_a_separate_process(found: dict[str, Any]) -> None:
    # a network relative to itself; it takes less than a millisecond
    assert found["ratio"] == pytest.approx(1.0, abs=0.2)
    assert found["target"] == found["key"]


def test_the_new_runtimes_device_is_locked_and_one_thread_is_timed_by_cpu_time(found: dict[str, Any]) -> None:
    assert (found["device"], found["clock"]) == ("cpu", "cpu")
    assert {"cpu.room", "cpu.turnstile"} <= set(found["lock files"])


def test_the_new_runtimes_name_is_valid_in_studies_and_listed(found: dict[str, Any]) -> None:
    assert found["name"] == found["of a study"] == "relay-host"
    (line,) = found["listed"]
    assert "relay-engine torch" in line


def test_the_new_runtimes_target_says_that_it_runs_on_the_cpu(found: dict[str, Any]) -> None:
    description = found["description"]
    assert (description["runtime"], description["provider"]) == ("relay-engine", "host")
    assert description["on_cpu"] is True
