"""Process of a worker: it handles signals, writes its output to a log, and ends together with its supervisor."""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, MutableSequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from search.cli.command import EXIT_OF_SIGNAL, Exit, error_line, exit_of
from search.record.events import Activity, Event, Note, Say, WorkerEnded
from search.record.folders import RunFolder
from search.work.job import Job
from search.work.liveness import host_tag, may_own
from spaces.lasting_imports import without_garbage_collection
from spaces.shown import ShownStream
from spaces.steps import note_step, share_steps

END_WITH = frozenset(EXIT_OF_SIGNAL)
"""Signals that end a run. The supervisor blocks them while it starts a worker; the worker unblocks them."""
WORKER_GRACE_S = 8.0
"""Maximum number of seconds for an interrupted worker to release its trial, before it is killed."""


class Interrupted(BaseException):
    """Request of the supervisor to end. It is not an `Exception`, so that no handler for errors catches it."""


def run_worker(job: Job, pipe: Connection, steps: MutableSequence[float]) -> None:
    """Run a worker until the end of this process.

    Args:
        pipe: Receives its events.
        steps: Shared counter of this process's steps, for the supervisor.
    """
    folder = RunFolder(job.root)
    scratch = folder.scratch(host_tag(), os.getpid())

    def work(say: Say) -> WorkerEnded:
        try:
            _remove_old_scratches(folder)
            say(Activity("loading"))
            with without_garbage_collection():
                from search.work.session import work_on  # not above: the supervisor imports this module, without torch

            return work_on(job, folder, scratch, say)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            shutil.rmtree(scratch, ignore_errors=True)

    run_process(work, folder.study(job.study) / f"worker-{job.index}.log", pipe, steps)


def run_process(work: Callable[[Say], WorkerEnded], log: Path, pipe: Connection, steps: MutableSequence[float]) -> None:
    """Do the work of this process, and end it. Send events through the pipe, and output to a log.

    Args:
        work: Called with a function that sends events; returns the last one.
        pipe: Receives the events.
        steps: Shared counter of this process's steps, for the supervisor.
    """
    share_steps(steps)
    for number in END_WITH:  # a terminal or a batch system sends them to all processes; the supervisor reacts
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    _end_with_supervisor()

    one_at_a_time = threading.Lock()  # the heartbeat's thread says when the database is lost

    def say(event: Event) -> None:
        with suppress(BrokenPipeError), one_at_a_time:  # the supervisor died, and this process ends with it
            pipe.send(event)
        note_step()

    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, END_WITH)
        _redirect_output(log)
        for part in ("objectives.device", "search.store"):
            logging.getLogger(part).addHandler(_Teller(say))
        ended = work(say)
    except Interrupted:
        ended = WorkerEnded("interrupted")
    except Exception as error:  # reported in one line by the supervisor, in full in the log
        with suppress(OSError):  # a full disk
            traceback.print_exc()
        ended = _ended_in_error(error)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(ended)
    with suppress(OSError):  # a full disk
        sys.stdout.flush()
    os._exit(0)  # all is closed and sent; with torch a normal exit takes seconds


class _Teller(logging.Handler):
    """Sends warnings to the user, whom the log of a worker does not reach."""

    def __init__(self, say: Say) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Send one warning."""
        self._say(Note(record.getMessage()))


def _end_with_supervisor() -> None:
    """Interrupt this process when the supervisor is gone, even while it imports; kill it if it does not end."""
    supervisor = multiprocessing.parent_process()

    def watch(supervisor: BaseProcess) -> None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(WORKER_GRACE_S)
        os.kill(os.getpid(), signal.SIGKILL)

    if supervisor is not None:
        threading.Thread(target=watch, args=(supervisor,), name="supervisor watch", daemon=True).start()


def _remove_old_scratches(folder: RunFolder) -> None:
    """Remove the scratch folders of killed processes of this host."""
    for pid, left_behind in folder.scratches(host_tag()):
        if not may_own(pid, left_behind):
            shutil.rmtree(left_behind, ignore_errors=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # A second signal must not interrupt the release of the trial.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Interrupted


def _ended_in_error(error: Exception) -> WorkerEnded:
    line, code = error_line(error) or type(error).__name__, exit_of(error)
    if code is None:
        return WorkerEnded("error", f"{type(error).__name__}: {line}", int(Exit.ERROR))
    return WorkerEnded("error", line, int(code))


def _redirect_output(log: Path) -> None:
    """Send this process's output to a file: libraries print, but the terminal shows only the progress.

    Raises:
        OSError: If the file cannot be created; the output is then discarded.
    """
    _send_output_to(os.open(os.devnull, os.O_WRONLY))
    log.parent.mkdir(parents=True, exist_ok=True)
    _send_output_to(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.stdout, sys.stderr = ShownStream(sys.stdout), ShownStream(sys.stderr)
    faulthandler.enable()


def _send_output_to(handle: int) -> None:
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
