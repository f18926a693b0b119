"""The commands of docs/cluster.md, one after another on a real Slurm with PostgreSQL, with a small study."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cluster.one_node import PATHS, Slurm
from objectives.data.digit_scenes import write_digits
from tests.search.store.postgres import programs, running_server
from tests.tree import ROOT

pytestmark = pytest.mark.slow(file_s=130)

GUIDE = re.findall(r"^```sh\n(.*?)\n```", (ROOT / "docs/cluster.md").read_text(), re.MULTILINE | re.DOTALL)
URL_OF_GUIDE = "postgresql+psycopg://user:password@host/yolofront"
WITHIN_S = 240.0
"""Longer than a job takes on a slow machine with much other work."""
STUDY = """\
description: A small study in the place of nas_head.
data: digits
parent:
  model: yolov5n.yaml
  recipe: {epochs: 1, batch: 8, optimizer: SGD, lr0: 0.01, warmup_epochs: 0}
space: {type: baseline, cut: uniform, criterion: l2, low: 0.2, high: 0.9, step: 0.1, multiple: 8}
recipe: {epochs: 1, batch: 8, optimizer: SGD, lr0: 0.0025, warmup_epochs: 0}
objectives: {map50_95: maximize, latency_ms: minimize}
target: {runtime: onnxruntime, provider: cpu, precision: fp32, batch: 1, threads: 1}
sampler: {name: qmc}
rungs: {rule: none}
n_trials: 2
"""


class Account:
    """A user of the cluster: a home, and a clone with a small study and data set.

    Attributes:
        changes: For each text of the guide what the user writes instead.
    """

    def __init__(self, slurm: Slurm, folder: Path, url: str) -> None:
        self._slurm, self.folder, self._url = slurm, folder, url
        (folder / "studies").mkdir()
        (folder / "studies/nas_head.yaml").write_text(STUDY)
        (folder / "Makefile").symlink_to(ROOT / "Makefile")
        (folder / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        data = write_digits(folder / "scenes", scenes={"train": 16, "val": 8, "test": 8})
        data.rename(data.with_name("my.yaml"))
        self.changes = {
            "make install": "make --dry-run install",  # CI runs it for real, on a clean checkout
            URL_OF_GUIDE: url,
            ".venv/bin/yolofront ": f"{sys.executable} -m yolofront ",  # this checkout
            "partition: gpu": "partition: low\\nmem: 100M",
            "--array 4": "--array 2",  # two cores
            "--data my.yaml --model best.pt --budget 300epochs": f"--data {data.with_name('my.yaml')} --imgsz 64 "
            "--device cpu -o scale=0.001 --no-confirm",
        }
        paths = {"PATH": PATHS, "HOME": str(folder), "PYTHONPATH": str(ROOT)}
        self._environment = {**slurm.environment, **paths, "YOLOFRONT_TRACEBACK": ""}
        for name in ("XDG_CONFIG_HOME", "SEARCH_STORAGE"):
            self._environment.pop(name, None)

    def type(self, command: str) -> str:
        """Run a command of the guide. Return what it prints."""
        for text, instead in self.changes.items():
            command = command.replace(text, instead)
        if exported := re.fullmatch(r"export (\w+)=(\S+)", command):
            self._environment[exported[1]] = exported[2]
            return ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def password_is_hidden(self, job: str) -> bool:
        shown = self._slurm.call("scontrol", "show", "job", job)
        return "p%40ss" not in shown + self._slurm.call("scontrol", "write", "batch_script", job, "-")


@pytest.fixture
def account(slurm: Slurm, tmp_path: Path) -> Iterator[Account]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with running_server() as server, server.database() as name:
        yield Account(slurm, tmp_path, server.url(name))
        slurm.call("scancel", "--user", str(os.getuid()))


def test_ten_commands_lead_from_an_empty_account_to_an_exported_network(account: Account, slurm: Slurm) -> None:
    install, storage, defaults, check, show, submit, look, logs, add, export = GUIDE
    for command in (install, storage, defaults):
        account.type(command)
    assert "ok cluster: defaults: " in account.type(check)
    assert "#SBATCH --array=1-2\n#SBATCH" in account.type(show)
    said = account.type(submit)
    assert said.startswith("submitted 2 jobs ")
    job = said.split()[3].removesuffix(":")
    assert account.password_is_hidden(job)
    more = account.type(add)
    assert more.startswith("added 4 jobs, ")
    slurm.call("scancel", more.split()[3].removesuffix(":"))  # they would only find out that nothing is left
    for task in ("1", "2"):
        slurm.wait_for(f"{job}_{task}", "COMPLETED", within_s=WITHIN_S)
    lines = account.type(look).splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [[f"{job}_1", "completed"], [f"{job}_2", "completed"]]
    assert lines[-1].startswith("GPU-hours used: ")
    assert account.type(logs).count("/nas_head-my/leaderboard.csv") == 1, "one of the jobs ends the study"
    assert (account.folder / "runs/nas_head-my/report.html").is_file()
    account.type(export)
    assert list(account.folder.glob("runs/nas_head-my/**/*.onnx"))
