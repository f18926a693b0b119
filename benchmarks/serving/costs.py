"""Costs of the service, each measured in CPU-seconds: wall time would depend on what else the machine does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from optuna_dashboard._app import create_app

from benchmarks.serving.counted import counted
from benchmarks.serving.made_study import MADE_NAME, MadeStudy
from search.pages.dashboard_guard import App, ask
from search.pages.dashboard_server import dashboard_app
from search.sampler.optuna_study import create_optuna_tables
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.trial.runner import Hooks, TrialRunner
from search.work.worker import Worker
from spaces.base import ParamValue

WARM_TRIALS, COUNTED_TRIALS = 5, 30
POLLS = 5
COMMANDS = ("search.run", "search.report", "search.export", "search.dashboard", "spaces.show")
"""Commands whose `--help` is timed."""
LAUNCHER = """
import os, subprocess, sys
process = subprocess.Popen([sys.executable, "-m", sys.argv[1], "--help"], stdout=subprocess.DEVNULL)
_, _, used = os.wait4(process.pid, 0)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
"""A small process that starts the command: the memory of whoever starts a process counts as its own."""


@dataclass
class MadeTrials(TrialRunner):
    """Trials without training: they claim their network, store its latency and return a made-up record."""

    made: MadeStudy
    store: Store
    own_s: float = 0.0

    def run(self, number: int, params: Mapping[str, ParamValue], hooks: Hooks) -> Any:
        """Return a record; the time that it takes to make one up is kept in `own_s`."""
        begun = time.process_time()
        trial = self.made.trial(number, params)
        self.own_s += time.process_time() - begun
        hooks.claim_identity(trial.record.identity)
        self.store.add_latency(trial.latency)
        return trial.record

    def give_up(self, number: int, params: Mapping[str, ParamValue], reason: str, now: datetime) -> Any:
        """Raise RuntimeError: no worker dies in this benchmark, so no trial is given up."""
        raise RuntimeError(f"trial {number} is given up: {reason}")


def trial_cost(made: MadeStudy) -> dict[str, float]:
    """Return CPU-seconds, commits and statements of one trial without its training, in an empty study."""
    store = open_store(made.url)
    trials = MadeTrials(made, store)
    study, optuna = made.begin(store), made.optuna()
    _work(store, study, optuna, trials, WARM_TRIALS)
    trials.own_s = 0.0
    with counted() as cost:
        _work(store, study, optuna, trials, WARM_TRIALS + COUNTED_TRIALS)
    store.close()
    return {
        "cpu_s": (cost.cpu_s - trials.own_s) / COUNTED_TRIALS,
        "commits": cost.commits / COUNTED_TRIALS,
        "statements": cost.statements / COUNTED_TRIALS,
    }


def _work(store: Store, study: StudyEntry, optuna: Any, trials: TrialRunner, n_trials: int) -> None:
    Worker(store, study, optuna, trials, n_trials=n_trials, deadline=None, say=lambda event: None).work()


def worker_costs(made: MadeStudy) -> dict[str, float]:
    """Return the CPU-seconds of a worker that joins a study with records, and of its first and its next suggestion."""
    store = open_store(made.url)
    study = store.latest_study(MADE_NAME)
    if study is None:
        raise ValueError("the study is not filled yet")
    predictions = made.predictions(store, study)
    optuna = made.optuna("front", predictions)
    worker = Worker(store, study, optuna, MadeTrials(made, store), n_trials=0, deadline=None, say=lambda event: None)
    found = {"joining": _cpu_s(worker.reconcile) + _cpu_s(worker.settle)}
    found["first suggestion"] = _cpu_s(optuna.propose)
    found["next suggestion"] = _cpu_s(optuna.propose)
    store.close()
    return found


def poll_costs(url: str, trials: int, artifacts: Path) -> dict[str, float]:
    """Return the CPU-seconds of a page's request while nothing is new: of optuna-dashboard alone, and of ours."""
    store = open_store(url)
    storage = create_optuna_tables(store, url)
    found = {}
    for name, app in (
        ("optuna-dashboard alone", create_app(storage)),
        ("ours", dashboard_app(store, storage, artifacts, hosts=None)),
    ):
        found[f"{name}, first"] = _poll_s(app, trials)
        found[name] = sorted(_poll_s(app, trials) for _ in range(POLLS))[POLLS // 2]
    store.close()
    return found


def _poll_s(app: App, after: int) -> float:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": "/api/studies/1", "QUERY_STRING": f"after={after}", "HTTP_ACCEPT_ENCODING": ""}
    return _cpu_s(lambda: ask(app, environ))


def start_costs() -> dict[str, dict[str, float]]:
    """Return CPU-seconds and MiB of `--help` of some commands."""
    found = {}
    for command in COMMANDS:
        called = [sys.executable, "-c", LAUNCHER, command]
        cpu_s, kib = subprocess.run(called, check=True, capture_output=True, text=True).stdout.split()
        found[command] = {"cpu_s": float(cpu_s), "mib": float(kib) / 1024}
    return found


def _cpu_s(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
