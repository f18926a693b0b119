"""A study by an array of jobs on a real Slurm, with real small trainings, whose jobs are disturbed until it ends."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.cluster.one_node import Slurm
from benchmarks.disturbing.commands import CHECKOUT, STORED
from benchmarks.disturbing.databases import PostgresServer
from benchmarks.disturbing.watched_study import WatchedStudy
from objectives.data.digit_scenes import write_digits
from search.record.trial import Outcome
from search.store.base import StoreError
from search.store.sql import open_store
from search.work.liveness import HEARTBEAT_S

JOBS_STUDY = "disturbed"
JOBS_SCENES = {"train": 32, "val": 16, "test": 16}
JOBS_STUDY_TEXT = """\
description: A small study whose jobs are disturbed.
data: digits
parent:
  model: yolov5n.yaml
  recipe: {epochs: 3, batch: 8, optimizer: SGD, lr0: 0.01, warmup_epochs: 0}
space: {type: channels, low: 0.25, high: 1.0, step: 0.25, multiple: 8}
recipe: {epochs: 4, batch: 8, optimizer: SGD, lr0: 0.0025, warmup_epochs: 0}
objectives: {map50_95: maximize, latency_ms: minimize}
target: {runtime: onnxruntime, provider: cpu, precision: fp32, batch: 1, threads: 1}
sampler: {name: random}
rungs: {rule: none}
n_trials: 12
"""
DATABASE_AWAY_S = 5.0
JOBS_LOOK_S = 1.0
ALIVE_STATES = ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING")


@dataclass
class DisturbedJobs:
    """The study, its jobs and what was done to them.

    Attributes:
        disturbances: Number of each kind to try.
        tried: Number of each kind that was tried.
    """

    slurm: Slurm
    database: PostgresServer
    folder: Path
    say: Callable[[str], None]
    disturbances: Mapping[str, int]
    tried: Counter[str] = field(default_factory=Counter)

    def run(self, *, jobs: int, trials: int, seed: int, within_s: float) -> dict[str, object]:
        """Submit the jobs, disturb them, and wait for the end. Return the figures."""
        (self.folder / "studies").mkdir(parents=True)
        (self.folder / f"studies/{JOBS_STUDY}.yaml").write_text(JOBS_STUDY_TEXT, encoding="utf-8")
        data = write_digits(self.folder / "scenes", scenes=JOBS_SCENES)
        watched = WatchedStudy(self.database.url, JOBS_STUDY, (), self.say)
        begun = time.monotonic()
        own = ["--data", str(data), "--imgsz", "64", "--name", JOBS_STUDY, "-o", "scale=0.001", "--device", "cpu"]
        self._submit("--array", str(jobs), "--mem", "100M", "--gpus", "1", "--", *own, "--n-trials", str(trials))
        todo = [kind for kind, count in self.disturbances.items() for _ in range(count)]
        random.Random(seed).shuffle(todo)
        while time.monotonic() < begun + within_s and self._alive():
            watched.look()
            self._start_waiting()
            if todo and watched.running() and self._trains():
                kind = todo.pop()
                self.say(f"{time.monotonic() - begun:5.0f} s  {kind}, {len(watched.stored)} trials stored")
                _KINDS[kind](self)
                self.tried[kind] += 1
                watched.wait(JOBS_LOOK_S)
            time.sleep(JOBS_LOOK_S)
        seconds = time.monotonic() - begun
        watched.check_end()
        return self._figures(watched, seconds, trials)

    def _figures(self, watched: WatchedStudy, seconds: float, trials: int) -> dict[str, object]:
        report = self.folder / "runs" / JOBS_STUDY / "report.html"
        records = watched.records()
        wrong = [f"{each.name}: {each.reason}" for each in records if each.outcome is Outcome.FAILED]
        return {
            "trials": len(watched.stored),
            "asked": trials,
            "seconds": seconds,
            "tried": dict(self.tried),
            "lost": len(self._acknowledged() - set(watched.stored)),
            "twice": len(watched.faults.twice),
            "stuck": watched.faults.stuck,
            "failed": wrong,
            "report": report.is_file(),
            "jobs": Counter(state for _, state in self._jobs()),
            "restarts": self._restarts(),
        }

    def _trains(self) -> bool:
        """Return whether a run that has not ended said a moment ago that it works on a trial."""
        with suppress(StoreError), closing(open_store(self.database.url)) as store:
            live = [run.entry for run in store.runs(JOBS_STUDY, 1) if not run.entry.why and run.age_s < HEARTBEAT_S]
            return any(each.startswith("trial ") for entry in live for each in entry.doing)
        return False

    def _acknowledged(self) -> set[int]:
        """Return the numbers of the trials that the jobs' logs show as stored."""
        logs = (file.read_text(encoding="utf-8", errors="replace") for file in self.folder.glob("*.out"))
        return {int(found[1]) for log in logs for line in log.splitlines() if (found := STORED.match(line))}

    # -- what is done to the jobs --------------------------------------------------------------------------------------
    def preempt(self) -> None:
        """Let an urgent job take the whole node: Slurm ends all jobs of the study and queues them up again."""
        urgent = ["sbatch", "--parsable", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=sleep 1"]
        self.tried["jobs preempted"] += len(self._in_state("RUNNING"))
        self.slurm.wait_for(self.slurm.call(*urgent).strip(), "COMPLETED", within_s=120.0)

    def reach_limit(self) -> None:
        """Send a job what Slurm sends it before its time limit."""
        self.slurm.call("scancel", "--batch", "--signal=USR2", self._any_running())

    def cancel(self) -> None:
        """Cancel a job, and submit another one."""
        self.slurm.call("scancel", self._any_running())
        self._submit("--add", "1")

    def kill(self) -> None:
        """Kill the run of a job and its workers with SIGKILL, and submit another job."""
        runs = [each for each in psutil.process_iter(["cmdline"]) if self._is_run(each.info["cmdline"] or ())]
        if runs:
            run = min(runs, key=lambda each: each.create_time())
            for each in (*run.children(recursive=True), run):
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        self._submit("--add", "1")

    def restart_controller(self) -> None:
        """Restart Slurm's controller."""
        self.slurm.restart_controller()

    def restart_database(self) -> None:
        """Take PostgreSQL away for some seconds."""
        self.database.go_away(DATABASE_AWAY_S, hard=False)

    # -- Slurm ---------------------------------------------------------------------------------------------------------
    def _submit(self, *arguments: str) -> None:
        words = [sys.executable, "-m", "search.submit", "--study", JOBS_STUDY, "--no-check", *arguments]
        paths = {"PYTHONPATH": str(CHECKOUT), "SEARCH_STORAGE": self.database.url, "OMP_NUM_THREADS": "1"}
        paths["XDG_CONFIG_HOME"] = str(self.folder)
        environment = {**self.slurm.environment, **paths}
        done = subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")
        self.say(done.stdout.strip())

    def _jobs(self) -> list[tuple[str, str]]:
        """Return each job of the study with its state."""
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            lines = self.slurm.call(
                "squeue", "-h", "-r", "--states=all", "--name", JOBS_STUDY, "-o", "%i %T"
            ).splitlines()
            return [(line.split()[0], line.split()[1]) for line in lines]
        return [("?", "RUNNING")]  # the controller is away

    def _alive(self) -> bool:
        return any(state in ALIVE_STATES for _, state in self._jobs())

    def _in_state(self, state: str) -> list[str]:
        return [job for job, each in self._jobs() if each == state]

    def _any_running(self) -> str:
        return next(iter(self._in_state("RUNNING")), "")

    def _start_waiting(self) -> None:
        """Let jobs that were queued up again start: by itself Slurm waits two minutes. It refuses the same second."""
        for job in self._in_state("PENDING"):
            with suppress(RuntimeError):
                if self.slurm.shown(job).get("Reason") == "BeginTime":
                    self.slurm.call("scontrol", "update", f"JobId={job}", "StartTime=now+2")

    def _restarts(self) -> int:
        return sum(int(self.slurm.shown(job).get("Restarts", 0)) for job, _ in self._jobs())

    def _is_run(self, words: Sequence[str]) -> bool:
        return "yolofront" in words and JOBS_STUDY in words and "run" in words and words[0] == sys.executable


_KINDS: dict[str, Callable[[DisturbedJobs], None]] = {
    "preemption of all jobs": DisturbedJobs.preempt,
    "time limit": DisturbedJobs.reach_limit,
    "scancel, and a new job": DisturbedJobs.cancel,
    "kill -9 of a run, and a new job": DisturbedJobs.kill,
    "restart of slurmctld": DisturbedJobs.restart_controller,
    "PostgreSQL away": DisturbedJobs.restart_database,
}
JOB_DISTURBANCES = tuple(_KINDS)
"""Names of the disturbances."""
