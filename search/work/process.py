"""The process around a worker: signals, quiet output, the tools loaded once, an end with the supervisor."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

import psutil

from search.cli.command import Exit, error_line
from search.record.events import Activity, Event, WorkerEnded
from search.record.folders import RunFolder
from search.store.base import StoreError
from search.study.faults import DefinitionError, DefinitionMismatch
from search.work.job import Job
from search.work.liveness import host_tag
from spaces.base import CandidateError, SpaceError

END_WITH = frozenset({signal.SIGINT, signal.SIGTERM})
"""Signals that end a run. The supervisor blocks them while it starts a worker; the worker lets them in again."""
GRACE_S = 8.0
"""How long an interrupted worker may take to hand its trial back before it is killed."""


class Interrupted(BaseException):
    """The supervisor wants this process to end. Not an `Exception`: nobody may swallow it."""


def run_worker(job: Job, pipe: Connection) -> None:
    """Entry point of the process, which ends here. What it has to say goes through the pipe; its output to a log."""
    folder = RunFolder(job.root)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides; a terminal sends it to everybody
    signal.signal(signal.SIGTERM, _interrupt)
    _end_with_supervisor()
    scratch = folder.scratch(host_tag(), os.getpid())

    def say(event: Event) -> None:
        with suppress(BrokenPipeError):  # the supervisor died, and this process ends with it
            pipe.send(event)

    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, END_WITH)
        _redirect_output(folder.study(job.study) / f"worker-{job.index}.log")
        _sweep(folder)
        say(Activity("loading"))
        from search.work.session import work_on  # not above: the supervisor imports this module, without torch

        left = work_on(job, folder, scratch, say)
    except Interrupted:
        left = WorkerEnded("interrupted")
    except Exception as error:  # reported in one line by the supervisor, in full in the log
        with suppress(OSError):  # a full disk
            traceback.print_exc()
        left = _left_in_error(error)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(scratch, ignore_errors=True)
    say(left)
    with suppress(OSError):  # a full disk
        sys.stdout.flush()
    os._exit(0)  # everything is closed and said; taking torch apart would keep the user waiting for seconds


def _end_with_supervisor() -> None:
    """Interrupt this process when the supervisor is gone, also while it still loads; kill it if it does not end."""
    supervisor = multiprocessing.parent_process()

    def watch(supervisor: BaseProcess) -> None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os.kill(os.getpid(), signal.SIGKILL)

    if supervisor is not None:
        threading.Thread(target=watch, args=(supervisor,), name="supervisor watch", daemon=True).start()


def _sweep(folder: RunFolder) -> None:
    """Remove what processes of this host that were killed have left."""
    for pid, left_behind in folder.scratches(host_tag()):
        if not psutil.pid_exists(pid):
            shutil.rmtree(left_behind, ignore_errors=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; a second one must not break the handing back
    raise Interrupted


def _left_in_error(error: Exception) -> WorkerEnded:
    line = error_line(error) or type(error).__name__
    if isinstance(error, DefinitionMismatch):
        return WorkerEnded("error", line, int(Exit.MISMATCH))
    if isinstance(error, DefinitionError | SpaceError):
        return WorkerEnded("error", line, int(Exit.USAGE))
    if isinstance(error, StoreError | CandidateError | OSError):
        return WorkerEnded("error", line, int(Exit.ERROR))
    return WorkerEnded("error", f"{type(error).__name__}: {line}", int(Exit.ERROR))


def _redirect_output(log: Path) -> None:
    """Send this process's output to a file: libraries print at will, and the terminal belongs to the progress.

    Raises:
        OSError: If the file cannot be made; the output goes nowhere then.
    """
    _send_output_to(os.open(os.devnull, os.O_WRONLY))
    log.parent.mkdir(parents=True, exist_ok=True)
    _send_output_to(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()


def _send_output_to(handle: int) -> None:
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
