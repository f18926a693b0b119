"""Lock of a device, tested with real processes. They communicate through pipes, so that no test has to sleep."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import platform
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from objectives.device.device_name import device_named
from objectives.device.lock import device_lock
from objectives.device.lock_files import FOLDER
from objectives.device.lock_holders import SUFFIX
from objectives.device.target import TargetError

Span = tuple[float, float]
SPAWN = multiprocessing.get_context("spawn")  # a fresh interpreter, as workers are
BATCH_S = 0.004


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the locks of one test; its processes inherit the environment."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "locks"))
    return tmp_path / "locks"


@contextmanager
def process(role: Callable[[Connection], None]) -> Iterator[tuple[BaseProcess, Connection]]:
    """Start a process with a role; yield it and a pipe to it. Kill it at the end if it is still alive."""
    ours, theirs = SPAWN.Pipe()
    started = SPAWN.Process(target=role, args=(theirs,), daemon=True)
    started.start()
    theirs.close()
    try:
        yield started, ours
    finally:
        started.kill()
        started.join()
        ours.close()


def trains_until_stopped(pipe: Connection) -> None:
    """Run batches without a pause. On `count` send their number; on `stop` send their spans and end."""
    spans: list[Span] = []
    while True:
        with device_lock("cpu").training():
            begun = time.monotonic()
            command = pipe.recv() if pipe.poll(BATCH_S) else ""
            spans.append((begun, time.monotonic()))
        if command == "count":
            pipe.send(len(spans))
        elif command == "stop":
            pipe.send(spans)
            return


def holds_a_batch(pipe: Connection) -> None:
    """Claim the lock for a batch, report it, and keep the lock."""
    with device_lock("cpu").training():
        pipe.send("in")
        pipe.recv()


def holds_a_measurement(pipe: Connection) -> None:
    """Report that the device is wanted, claim it for a measurement, report that, and keep it."""
    pipe.send("wants")
    with device_lock("cpu").measuring():
        pipe.send("in")
        pipe.recv()


def forks_within_a_batch(pipe: Connection) -> None:
    """Fork a child during a batch; the child goes on living."""
    with device_lock("cpu").training():
        if os.fork() == 0:
            pipe.send(os.getpid())
            signal.pause()
        pipe.recv()


def overlaps(one: Span, other: Span) -> bool:
    """Return whether two spans of time overlap."""
    return one[0] < other[1] and other[0] < one[1]


@pytest.mark.parametrize("workers", [1, 4])
def test_measurements_run_between_busy_batches_and_never_overlap_with_one(workers: int) -> None:
    measured: list[Span] = []
    contexts = [process(trains_until_stopped) for _ in range(workers)]
    pipes = [context.__enter__()[1] for context in contexts]
    try:
        for _ in range(5):
            for pipe in pipes:  # each has begun, and continues after the last measurement
                pipe.send("count")
                assert pipe.recv() > 0
            with device_lock("cpu").measuring():
                begun = time.monotonic()
                for pipe in pipes:  # a process that trains now would answer at once
                    pipe.send("count")
                assert not any(pipe.poll(2 * BATCH_S) for pipe in pipes)
                measured.append((begun, time.monotonic()))
            assert all(pipe.recv() > 0 for pipe in pipes)
        for pipe in pipes:
            pipe.send("stop")
        batches = [span for pipe in pipes for span in pipe.recv()]
    finally:
        for context in contexts:
            context.__exit__(None, None, None)
    assert [(m, b) for m in measured for b in batches if overlaps(m, b)] == []
    assert any(begun > measured[-1][1] for begun, _ in batches)


@pytest.mark.parametrize("role", [holds_a_batch, holds_a_measurement])
def test_the_lock_of_a_killed_process_is_free(role: Callable[[Connection], None]) -> None:
    with process(role) as (held, pipe):
        while pipe.recv() != "in":
            pass
        os.kill(held.pid or 0, signal.SIGKILL)
        with device_lock("cpu").measuring(), device_lock("gpu0").training():
            pass


def test_a_process_killed_while_it_waits_to_measure_blocks_no_other(folder: Path) -> None:
    with process(holds_a_batch) as (_, batch):
        assert batch.recv() == "in"
        with process(holds_a_measurement) as (waiting, measurement):
            assert measurement.recv() == "wants"
            with (folder / "cpu.turnstile").open() as turnstile:
                while not _is_locked(turnstile.fileno()):
                    os.sched_yield()
            assert not measurement.poll()
            os.kill(waiting.pid or 0, signal.SIGKILL)
            with device_lock("cpu").training():  # beside the batch that still runs
                pass


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def test_a_forked_child_does_not_keep_the_lock_of_its_killed_parent() -> None:
    with process(forks_within_a_batch) as (parent, pipe):
        child = pipe.recv()
        try:
            os.kill(parent.pid or 0, signal.SIGKILL)
            with device_lock("cpu").measuring():
                os.kill(child, 0)  # it is alive
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_thread_that_would_wait_for_itself_gets_an_error() -> None:
    lock = device_lock("cpu")
    with lock.training(), pytest.raises(RuntimeError, match="measuring on cpu within training on it"), lock.measuring():
        pass
    with lock.measuring(), pytest.raises(RuntimeError, match="training on cpu within measuring"), lock.training():
        pass
    with lock.training(), lock.training(), device_lock("gpu0").measuring(), device_lock("gpu0").measuring():
        pass
    with lock.measuring():  # all of the above were released
        pass


def test_threads_of_one_process_wait_for_each_other_too() -> None:
    order: list[str] = []

    def measure() -> None:
        with device_lock("cpu").measuring():
            order.append("measured")

    with device_lock("cpu").training():
        thread = threading.Thread(target=measure)
        thread.start()
        thread.join(5 * BATCH_S)
        order.append("trained")
    thread.join()
    assert order == ["trained", "measured"]


def test_all_users_may_use_the_lock_files_of_one_user_independent_of_its_umask(folder: Path) -> None:
    umask = os.umask(0o077)
    try:
        with device_lock("cpu").measuring():
            pass
    finally:
        os.umask(umask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    locks = [file for file in folder.iterdir() if file.suffix != SUFFIX]
    assert {stat.S_IMODE(file.stat().st_mode) for file in locks} == {0o666}


def test_links_and_pipes_in_place_of_lock_files_are_refused(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "cpu.room").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(folder / "gpu0.turnstile")
    for device in ("cpu", "gpu0"):
        with pytest.raises(TargetError, match=FOLDER), device_lock(device).training():
            pass
    assert not (tmp_path / "elsewhere").exists()


def test_the_message_about_a_folder_that_cannot_be_made_has_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(FOLDER, str(tmp_path / "file" / "locks"))
    with pytest.raises(TargetError, match=f"device lock: cannot use '.*' .Not a directory.; set {FOLDER} to a folder"):
        device_lock("cpu")


@pytest.mark.parametrize(
    ("text", "visible", "device"),
    [
        ("cpu", "1", "cpu"),
        ("0", None, "gpu0"),
        ("cuda:1", None, "gpu1"),
        ("cuda", None, "gpu0"),
        ("cuda", "3", "gpu3"),
        ("1", "2,5", "gpu5"),
        ("cuda", "GPU-8f6a", "GPU-8f6a"),
        ("mps", None, "gpu0"),
    ],
)
def test_a_device_has_one_name_in_all_processes(
    text: str, visible: str | None, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device_named(text) == device


@pytest.mark.parametrize("text", ["", "0,1", "npu", "cuda:7"])
def test_a_text_that_means_no_single_device_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(TargetError, match="device is"):
        device_named(text)


def test_after_a_long_wait_a_warning_names_the_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The holder releases the lock when it hears of the warning."""
    warnings: list[str] = []
    with process(holds_a_batch) as (holder, pipe):
        assert pipe.recv() == "in"

        class Collector(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                warnings.append(record.getMessage())
                pipe.send("release")

        collector = Collector()
        monkeypatch.setattr("objectives.device.lock.WARNING_AFTER_S", 0.01)
        logger = logging.getLogger("objectives.device.lock")
        logger.addHandler(collector)
        try:
            with device_lock("cpu").measuring():
                pass
        finally:
            logger.removeHandler(collector)
    assert len(warnings) == 1
    assert f"held by process {holder.pid} on {platform.node()} (" in warnings[0]
    assert "training since " in warnings[0]
