"""One lock per device for all processes of a machine: batches share it, a measurement has it alone.

Two files, locked by the kernel (`flock`), which frees what a killed process held. Whoever measures first locks the
turnstile, then the room; a batch passes through the turnstile and shares the room. So a batch that ends while somebody
waits to measure is the last: without the turnstile a few workers never all let go at once, and no measurement begins.

Why not filelock's `ReadWriteLock`: its writer starves in just that way, it takes 1 ms in a folder that several users
share, and refuses there what another user made. Its other locks cannot be shared.
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
"""The environment variable that names the folder of the locks; all processes must name the same one."""

TEMPORARY = Path("/tmp")  # not `tempfile`'s: jobs have a TMPDIR of their own, and would not see each other's locks
WORD_AFTER_S = 30.0  # of waiting: nobody trains or measures that long without letting others in
PATIENCE_S = 1.0  # the folder and a file are unreadable to others for a moment, while their maker sets their mode
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe there would block us


def device_lock(device: str) -> DeviceLock:
    """Return the lock of a device: `cpu`, `gpu0`, ... (see `device_named`)."""
    return DeviceLock(_folder(), device)


def device_named(text: str) -> str:
    """Return the device that a text means, as all processes call it: `cpu`, `gpu0`, `gpu1`, ... or a GPU's UUID.

    Args:
        text: A device as Ultralytics and torch name it (`cpu`, `0`, `cuda:1`, `cuda`, `mps`). Without a number it is
            the first one. The device of a target's provider is known by its `Runtime`.

    Raises:
        TargetError: If it means several devices or none, or CUDA_VISIBLE_DEVICES does not hold it.
    """
    if text == "cpu":
        return "cpu"
    if text in ("mps", "mps:0"):  # Apple's: CUDA's numbering is not theirs
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
    """The lock of one device; as cheap to make as to take.

    Each thread counts for itself. What a thread holds it may take again in the same way. To measure within a batch, or
    to train within a measurement, would wait for itself: that raises RuntimeError.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._turnstile, self._room = folder / f"{device}.turnstile", folder / f"{device}.room"
        self._device = device

    @contextmanager
    def training(self) -> Iterator[None]:
        """Share the device for one batch; waits while somebody measures or waits to.

        Work on a GPU must have ended (`torch.cuda.synchronize`) when the block does.

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
        """Have the device alone: begins when the running batches end, and no other begins before the block ends.

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
        """Return whether this thread does not hold the lock yet for that use."""
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


_HELD = threading.local()  # what each thread holds: `training` or `measuring`, by the path of the room
_FILES: weakref.WeakSet[FileIO] = weakref.WeakSet()  # all that this process has open


def _let_go_after_fork() -> None:
    """Release the lock in a child process: else it would keep the lock of a parent that was killed."""
    _HELD.__dict__.clear()
    for file in list(_FILES):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_after_fork)


@contextmanager
def _locked(path: Path, *, shared: bool) -> Iterator[None]:
    """Hold the lock of a file; waits in the kernel, where signals are heard."""
    file = _lock(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        if not file.closed:  # as it is in a forked child
            fcntl.flock(file, fcntl.LOCK_UN)  # closing alone would not do while another process is being started
            file.close()


def _lock(path: Path, how: int) -> FileIO:
    while True:
        with _in_words(path):
            file = _opened(path)
            _FILES.add(file)
            _wait_for(file, how)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(path, follow_symlinks=False)):
                    return file
        file.close()  # a cleaner of the temporary folder took it away meanwhile; others lock a new one


def _wait_for(file: FileIO, how: int) -> None:
    """Lock it; after half a minute of waiting, say what may be wrong, and wait on."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        word = threading.Timer(WORD_AFTER_S, _say_who_waits, [Path(str(file.name))])
        word.daemon = True
        word.start()
        try:
            fcntl.flock(file, how)
        finally:
            word.cancel()


def _say_who_waits(path: Path) -> None:
    logging.getLogger(__name__).warning(
        "device lock: waiting for %s for %g s; a process that was stopped (Ctrl-Z) keeps its lock: `fuser -v %s` "
        "names it, `kill` or `fg` frees it",
        path.stem, WORD_AFTER_S, path,
    )  # fmt: skip


def _opened(path: Path) -> FileIO:
    """Return the file, made where it is missing; its content is nothing, so that reading is all the right one needs."""
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
            time.sleep(0.01)  # another user is just making it
        else:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
            raise OSError("it is not a plain file; remove it")


def _make_file(path: Path) -> None:
    file = os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.fchmod(file, 0o666)  # whatever the umask is
    finally:
        os.close(file)


def _folder() -> Path:
    """Return the folder of the locks: `/tmp/yolofront-locks`, or the one that the environment names.

    Raises:
        TargetError: If the folder cannot be made, or the default is a link that somebody put there.
    """
    if fcntl is None:
        raise TargetError("device lock: this system has no flock; Linux and macOS have")
    named = os.environ.get(FOLDER)
    folder = Path(named) if named else TEMPORARY / "yolofront-locks"
    with _in_words(folder):
        try:
            folder.mkdir(mode=0o1777, parents=bool(named))
            folder.chmod(0o1777)  # everybody may make locks, whatever the umask is, and remove only their own
        except FileExistsError:
            if not folder.is_dir() or (folder.is_symlink() and not named):
                raise OSError("it is not a folder; remove it") from None
    return folder


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = f"set {FOLDER} to a folder that all processes of this machine can write"
        raise TargetError(f"device lock: cannot use '{path}' ({reason}); {advice}") from error
