"""The overview of jobs joins the batch system's words with what the runs say of themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from search.batch.overview import overview_lines, rows_of
from search.batch.queued import QueuedJob
from search.store.runs.register import RunEntry, StoredRun

ENTRY = RunEntry(
    study="nas_head",
    generation=1,
    host="host",
    pid=7,
    started=1.0,
    system="slurm",
    job="41_2",
    node="node07",
    device="0",
    gpus=1,
    doing=("trial 3: training, epoch 2 of 10",),
    progress_s=4.0,
)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = StoredRun(ENTRY, BEGAN, 3600.0, 8.0)
EARLIER = StoredRun(replace(ENTRY, pid=6, node="node06", why="interrupted"), BEGAN, 1800.0, 4000.0)
QUEUED = QueuedJob(system="slurm", job="41_2", state="RUNNING", has_ended=False, node="node07", restarts=1)


def words(line: str) -> list[str]:
    return [word.strip() for word in line.split("  ") if word.strip()]


def test_a_job_shows_the_work_of_its_last_start_and_the_hours_of_all() -> None:
    (row,) = rows_of([QUEUED], [EARLIER, RUNNING])
    title, line, hours = overview_lines([row], 2.0)
    assert words(title) == ["job", "state", "node", "GPU", "doing", "progress", "restarts", "GPU-h", "reason"]
    assert words(line) == ["41_2", "running", "node07", "0", "trial 3: training, epoch 2 of 10", "12 s ago", "1", "1.5"]
    assert hours == "GPU-hours used: 1.5, 0.5 of 2 left"


def test_accounts_of_the_batch_system_go_before_our_own() -> None:
    (row,) = rows_of([replace(QUEUED, gpu_hours=4.0)], [RUNNING])
    assert overview_lines([row], None)[-1] == "GPU-hours used: 4.0"


def test_a_waiting_job_says_why_it_waits_and_a_run_outside_of_jobs_stands_alone() -> None:
    waiting = QueuedJob(system="slurm", job="41_3", state="PENDING", has_ended=False, reason="Resources")
    by_hand = replace(RUNNING, entry=replace(ENTRY, system="", job="", gpus=0, device="cpu"))
    killed = replace(by_hand, entry=replace(by_hand.entry, pid=9), age_s=1000.0)
    _, pending, running, silent, _ = overview_lines(rows_of([waiting], [by_hand, killed]), None)
    assert words(pending) == ["41_3", "pending", "0", "0.0", "Resources"]
    assert words(running)[:4] == ["node07:7", "running", "node07", "cpu"]
    assert words(silent) == ["node07:9", "silent", "node07", "cpu", "0", "0.0"]
