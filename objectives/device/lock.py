"""One lock per device for all processes of a machine: training batches share it, a measurement has it alone.

The lock consists of two files, locked by the kernel (`flock`), which releases the locks of a killed process. A
measurement locks the turnstile first, then the room. A batch passes through the turnstile and shares the room. So no
new batch begins while a measurement waits. Without the turnstile some worker would always hold the room, and no
measurement would ever begin.

Why not filelock's `ReadWriteLock`: its writer never gets the lock in this situation, it takes 1 ms in a folder that
several users share, and there it refuses files of other users. Its other locks cannot be shared.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from objectives.device.target import TargetError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = "YOLOFRONT_LOCKS"
"""Environment variable with the folder of the locks; it must be the same for all processes."""

TEMPORARY = Path("/tmp")  # not from `tempfile`: jobs with different TMPDIRs would not share their locks
WARNING_AFTER_S = 30.0  # of waiting: no batch or measurement takes so long
PATIENCE_S = 1.0  # a new folder or file is unreadable to other users until its maker has set its mode
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe in its place would block us


def device_lock(device: str) -> DeviceLock:
    """Return the lock of a device: `cpu`, `gpu0`, ... (see `device_named`)."""
    return DeviceLock(_folder(), device)


def device_named(text: str) -> str:
    """Return the name of a device that is the same in all processes: `cpu`, `gpu0`, `gpu1`, ... or a GPU's UUID.

    Args:
        text: Device in the notation of Ultralytics and torch (`cpu`, `0`, `cuda:1`, `cuda`, `mps`). Without a number it
            is the first one. (For the device of a target's provider see `Runtime.device_name`.)

    Raises:
        TargetError: If the text means several devices or none, or CUDA_VISIBLE_DEVICES does not contain the device.
    """
    if text == "cpu":
        return "cpu"
    if text in ("mps", "mps:0"):  # GPUs of Apple; CUDA's numbering does not apply
        return "gpu0"
    number = "0" if text == "cuda" else text.removeprefix("cuda:")
    if not number.isdecimal():
        raise TargetError(f"device is '{text}'; use cpu, mps, or one GPU as 0 or cuda:0")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return f"gpu{int(number)}"
    names = [name.strip() for name in visible.split(",") if name.strip()]
    if int(number) >= len(names):
        raise TargetError(f"device is '{text}', but CUDA_VISIBLE_DEVICES is '{visible}'")
    name = names[int(number)]
    return f"gpu{int(name)}" if name.isdecimal() else name


class DeviceLock:
    """Lock of one device. Constructing it is cheap.

    Each thread claims it separately. A thread may claim it again for the same use. A thread that measures within a
    batch, or trains within a measurement, would wait for itself: that raises RuntimeError.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._turnstile, self._room = folder / f"{device}.turnstile", folder / f"{device}.room"
        self._device = device

    @contextmanager
    def training(self) -> Iterator[None]:
        """Share the device for one batch; wait while a measurement runs or waits.

        Work on a GPU must have ended (`torch.cuda.synchronize`) when the block ends.

        Raises:
            RuntimeError: If this thread measures on the device.
            TargetError: If there is no folder for locks.
        """
        with ExitStack() as held:
            if self._is_new("training"):
                with _locked(self._turnstile, shared=True):
                    held.enter_context(_locked(self._room, shared=True))
                held.enter_context(self._noted("training"))
            yield

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Have the device alone: wait until the running batches end. No batch begins before the block ends.

        Raises:
            RuntimeError: If this thread trains on the device.
            TargetError: If there is no folder for locks.
        """
        with ExitStack() as held:
            if self._is_new("measuring"):
                held.enter_context(_locked(self._turnstile, shared=False))
                held.enter_context(_locked(self._room, shared=False))
                held.enter_context(self._noted("measuring"))
            yield

    def _is_new(self, use: str) -> bool:
        """Return whether this thread does not yet hold the lock for that use."""
        held = _HELD.__dict__.get(str(self._room))
        if held not in (None, use):
            raise RuntimeError(f"{use} on {self._device} within {held} on it, by one thread: it would wait for itself")
        return held is None

    @contextmanager
    def _noted(self, use: str) -> Iterator[None]:
        _HELD.__dict__[str(self._room)] = use
        try:
            yield
        finally:
            _HELD.__dict__.pop(str(self._room), None)


_HELD = threading.local()  # use of each lock that a thread holds, `training` or `measuring`, by the path of the room
_FILES: weakref.WeakSet[FileIO] = weakref.WeakSet()  # all lock files that this process has open


def _release_after_fork() -> None:
    """Release the locks in a forked child: else it would keep the locks of a killed parent."""
    _HELD.__dict__.clear()
    for file in list(_FILES):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_after_fork)


@contextmanager
def _locked(path: Path, *, shared: bool) -> Iterator[None]:
    """Hold the lock of a file. Wait in the kernel, where signals interrupt the waiting."""
    file = _lock(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        if not file.closed:  # a forked child has closed it
            fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough while another process is being started
            file.close()


def _lock(path: Path, how: int) -> FileIO:
    while True:
        with _with_advice(path):
            file = _opened(path)
            _FILES.add(file)
            _wait_for(file, how)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(path, follow_symlinks=False)):
                    return file
        file.close()  # a cleaner of the temporary folder has removed it meanwhile; others lock a new one


def _wait_for(file: FileIO, how: int) -> None:
    """Lock the file. After half a minute of waiting, warn of the possible cause and go on waiting."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        warning_timer = threading.Timer(WARNING_AFTER_S, _warn_of_long_wait, [Path(str(file.name))])
        warning_timer.daemon = True
        warning_timer.start()
        try:
            fcntl.flock(file, how)
        finally:
            warning_timer.cancel()


def _warn_of_long_wait(path: Path) -> None:
    logging.getLogger(__name__).warning(
        "device lock: waiting for %s for %g s; a process that was stopped (Ctrl-Z) keeps its lock: `fuser -v %s` "
        "names it, `kill` or `fg` frees it",
        path.stem, WARNING_AFTER_S, path,
    )  # fmt: skip


def _opened(path: Path) -> FileIO:
    """Open the file for reading, and create it if it is missing. It is empty: the right to read it is enough."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            file = FileIO(str(path), opener=lambda name, _: os.open(name, _OPEN))
        except FileNotFoundError:
            with suppress(FileExistsError):
                _make_file(path)
        except PermissionError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)  # another user is creating it
        else:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
            raise OSError("it is not a plain file; remove it")


def _make_file(path: Path) -> None:
    file = os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.fchmod(file, 0o666)  # independent of the umask
    finally:
        os.close(file)


def _folder() -> Path:
    """Return the folder of the locks: `/tmp/yolofront-locks`, or that of the environment variable.

    Raises:
        TargetError: If the folder cannot be made, or the default folder is a link.
    """
    if fcntl is None:
        raise TargetError("device lock: this system has no flock; Linux and macOS have")
    named = os.environ.get(FOLDER)
    folder = Path(named) if named else TEMPORARY / "yolofront-locks"
    with _with_advice(folder):
        try:
            folder.mkdir(mode=0o1777, parents=bool(named))
            folder.chmod(0o1777)  # every user may create locks, independent of the umask, and remove only their own
        except FileExistsError:
            if not folder.is_dir() or (folder.is_symlink() and not named):
                raise OSError("it is not a folder; remove it") from None
    return folder


@contextmanager
def _with_advice(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = f"set {FOLDER} to a folder that all processes of this machine can write"
        raise TargetError(f"device lock: cannot use '{path}' ({reason}); {advice}") from error
