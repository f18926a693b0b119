"""A run that is told to come back hands its training back with its state, and the same command goes on with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.cli.command import Exit
from search.kept.folder import KeptFolder
from tests.search.work.training_worker import weights_after_training

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import sys
from pathlib import Path
from search.record.events import BatchDone
from search.work import supervisor
from tests.search.work.scripted_workers import job
from tests.search.work.training_worker import run_training

supervisor.run_worker = run_training

def show(worker, event):
    print(event.epoch if isinstance(event, BatchDone) else event, flush=True)

if __name__ == "__main__":
    end = supervisor.Supervisor([job(Path(sys.argv[1]))], show, lambda trial, cause: None).run()
    sys.exit(end.exit_code)
"""


def start_run(folder: Path) -> subprocess.Popen[str]:
    program = folder / "run_one_training.py"
    program.write_text(RUN)
    return subprocess.Popen(
        [sys.executable, str(program), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


def test_a_training_that_is_handed_back_is_gone_on_with_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    first = start_run(tmp_path)
    assert first.stdout is not None
    for line in first.stdout:
        if line == "2\n":  # a batch of the second epoch
            os.killpg(first.pid, signal.SIGUSR2)
            break
    first.communicate(timeout=60)
    assert first.returncode == Exit.COME_BACK

    output, _ = (again := start_run(tmp_path)).communicate(timeout=120)
    assert again.returncode == Exit.DONE, output
    assert sorted(set(output.splitlines())) == ["2", "3"], output  # the first epoch is not trained twice
    assert (tmp_path / "weights").read_text() == weights_after_training(tmp_path, KeptFolder())
