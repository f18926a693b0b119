"""One lock per device for all processes of a machine: training batches share it, a measurement has it alone.

The lock consists of two files, locked by the kernel (`flock`), which releases the locks of a killed process. A
measurement locks the turnstile first, then the room. A batch passes through the turnstile and shares the room. So no
new batch begins while a measurement waits. Without the turnstile some worker would always hold the room, and no
measurement would ever begin.

A process that is stopped, or hangs in a driver, keeps its lock. A waiting process says who holds it, and passes over
holders that show no sign of life for ten minutes.

Why not filelock's `ReadWriteLock`: its writer never gets the lock in this situation, it takes 1 ms in a folder that
several users share, and there it refuses files of other users. Its other locks cannot be shared.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from objectives.device.file_claim import FileClaim
from objectives.device.lock_files import Generation, is_at, locks_folder, open_lock_file, with_advice
from objectives.device.lock_holders import Holder, HolderNote, notes, read_note
from spaces.step_watch import LEAST_HUNG_AFTER_S, StepWatch
from spaces.steps import note_step

HUNG_AFTER = "YOLOFRONT_HUNG_AFTER"
"""Environment variable with the seconds without a sign of life after which a holder is passed over (default: 600)."""
WARNING_AFTER_S = 30.0  # of waiting: no batch or measurement takes so long
LOOK_S = 1.0  # between two looks at the holders while waiting


def device_lock(device: str) -> DeviceLock:
    """Return the lock of a device: `cpu`, `gpu0`, ... (see `objectives.device.device_name`)."""
    return DeviceLock(locks_folder(), device)


class Hold:
    """Claim of a device, while it lasts.

    Attributes:
        passed_over: Holders that were passed over for this claim, as text.
    """

    def __init__(self, lock: DeviceLock, generation: int, passed_over: tuple[str, ...]) -> None:
        self._lock, self._generation, self.passed_over = lock, generation, passed_over
        self._passed_before = lock.holders_before(generation) if generation else []

    def renew(self) -> None:
        """Show a sign of life: a claim for minutes without one is passed over."""
        self._lock.note.renew()

    def disturbances(self) -> tuple[str, ...]:
        """Return why others may have used the device meanwhile; empty if nobody has.

        Either this claim, or one before it, was passed over, and its holder went on.
        """
        if self._lock.generation.now() != self._generation:
            return (*self.passed_over, "this process, which made no progress")
        woken = [str(each) for each in self._passed_before if self._lock.has_beaten(each)]
        return tuple(dict.fromkeys((*self.passed_over, *woken)))


class DeviceLock:
    """Lock of one device. Constructing it is cheap.

    Each thread claims it separately. A thread may claim it again for the same use. A thread that measures within a
    batch, or trains within a measurement, would wait for itself: that raises RuntimeError.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._folder, self._device = folder, device
        self.generation = Generation(folder, device)
        self._key = str(folder / device)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Share the device for one batch; wait while a measurement runs or waits.

        Work on a GPU must have ended (`torch.cuda.synchronize`) when the block ends.

        Raises:
            RuntimeError: If this thread measures on the device.
            TargetError: If there is no folder for locks.
        """
        with ExitStack() as held:
            if self._held("training") is None:
                passed: list[str] = []
                while not held.enter_context(self._tried_training(passed)):
                    held.close()
            yield

    @contextmanager
    def measuring(self) -> Iterator[Hold]:
        """Have the device alone: wait until the running batches end. No batch begins before the block ends.

        Raises:
            RuntimeError: If this thread trains on the device.
            TargetError: If there is no folder for locks.
        """
        with ExitStack() as held:
            hold = self._held("measuring")
            passed: list[str] = []
            while hold is None:
                hold = held.enter_context(self._tried_measuring(passed))
                if hold is None:
                    held.close()
            yield hold

    @property
    def note(self) -> HolderNote:
        """Note of this thread that names it as a holder."""
        notes = _LOCAL.notes
        if self._key not in notes:
            notes[self._key] = HolderNote(self._folder, self._device)
        return notes[self._key]

    def holders_before(self, generation: int) -> list[Holder]:
        """Return the holders of earlier generations: they were passed over and still hold their lock."""
        return [each for each in notes(self._folder, self._device) if each.use and each.generation < generation]

    def has_beaten(self, holder: Holder) -> bool:
        """Return whether a holder has shown a sign of life since this note of it."""
        now = read_note(self._folder / holder.name)  # removed: it has ended
        return now is None or now.beats != holder.beats

    @contextmanager
    def _tried_training(self, passed: list[str]) -> Iterator[Hold | None]:
        """Claim the device for a batch; yields None if the lock got another generation meanwhile."""
        number = self.generation.now()
        with ExitStack() as held:
            with self._locked("turnstile", number, True, passed) as through:
                room = through and held.enter_context(self._locked("room", number, True, passed))
            if room:
                self.note.hold("training", number)
                held.callback(self.note.clear)
                yield held.enter_context(self._remembered("training", Hold(self, number, tuple(passed))))
            else:
                yield None

    @contextmanager
    def _tried_measuring(self, passed: list[str]) -> Iterator[Hold | None]:
        """Claim the device alone; yields None if the lock got another generation meanwhile."""
        number = self.generation.now()
        with ExitStack() as held:
            if held.enter_context(self._locked("turnstile", number, False, passed)):
                self.note.hold("measuring", number)  # already now: it keeps all others out
                held.callback(self.note.clear)
                if held.enter_context(self._locked("room", number, False, passed)):
                    self.note.renew()
                    yield held.enter_context(self._remembered("measuring", Hold(self, number, tuple(passed))))
                    return
            yield None

    @contextmanager
    def _locked(self, part: str, number: int, shared: bool, passed: list[str]) -> Iterator[bool]:
        """Hold one file of the lock; yields False without it if the lock got another generation meanwhile.

        Args:
            passed: Gets the holders that were passed over.
        """
        claim = self._claim(self.generation.path(part, number), number, shared, passed)
        try:
            yield claim is not None
        finally:
            if claim is not None:
                claim.release()

    def _claim(self, path: Path, number: int, shared: bool, passed: list[str]) -> FileClaim | None:
        while True:
            with with_advice(path):
                file = open_lock_file(path)
                claim = FileClaim(file, shared=shared)
                if not claim.try_now() and not self._wait(claim, path, number, passed):
                    return None
                if self.generation.now() != number:
                    claim.release()
                    return None
                if is_at(file, path):
                    return claim
            claim.release()  # a cleaner of the temporary folder has removed it meanwhile; others lock a new one

    def _wait(self, claim: FileClaim, path: Path, number: int, passed: list[str]) -> bool:
        """Wait until the file is locked. Return False if the lock has another generation, perhaps by this process."""
        limit_s = _hung_after_s()
        watch = StepWatch(lambda: self._signs_of_life(number), limit_s)
        begun, warned = time.monotonic(), False
        try:
            while not claim.wait(min(LOOK_S, limit_s / 4, WARNING_AFTER_S)):
                note_step()
                self.note.renew()
                if self.generation.now() != number:
                    claim.release()
                    return False
                if not warned and time.monotonic() - begun >= WARNING_AFTER_S:
                    warned = True
                    self._warn(path, number, f"waiting for {time.monotonic() - begun:.0f} s")
                if watch.hangs():
                    passed += [str(each) for each in self._holders(number)] or ["an unknown process"]
                    self._warn(path, number, f"passed over after {watch.idle_s:.0f} s without a sign of life")
                    self.generation.raise_from(number)
            return True
        except BaseException:  # a signal
            claim.release()
            raise

    def _holders(self, number: int) -> list[Holder]:
        """Return the holders but for this thread, which waits."""
        found = notes(self._folder, self._device)
        return [each for each in found if each.use and each.generation == number and each.name != self.note.name]

    def _signs_of_life(self, number: int) -> tuple[tuple[str, int], ...]:
        """Return what changes when a holder goes on, ends, or begins."""
        return tuple((each.name, each.beats) for each in self._holders(number))

    def _warn(self, path: Path, number: int, what: str) -> None:
        who = "; ".join(map(str, self._holders(number))) or f"unknown: `fuser -v {path}` names it"
        logging.getLogger(__name__).warning(
            "device lock of %s: %s; held by %s; a process that was stopped (Ctrl-Z) keeps its lock: `kill` or `fg` "
            "frees it", self._device, what, who,
        )  # fmt: skip

    def _held(self, use: str) -> Hold | None:
        """Return the claim of this thread for that use; None if it has none."""
        found = _LOCAL.held.get(self._key)
        if found is None:
            return None
        if found[0] != use:
            raise RuntimeError(
                f"{use} on {self._device} within {found[0]} on it, by one thread: it would wait for itself"
            )
        return found[1]

    @contextmanager
    def _remembered(self, use: str, hold: Hold) -> Iterator[Hold]:
        _LOCAL.held[self._key] = (use, hold)
        try:
            yield hold
        finally:
            _LOCAL.held.pop(self._key, None)


class _Local(threading.local):
    """Claims and notes of one thread, by device."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, Hold]] = {}
        self.notes: dict[str, HolderNote] = {}


_LOCAL = _Local()


def _forget_after_fork() -> None:
    """Forget the claims of the parent in a forked child."""
    _LOCAL.held.clear()
    _LOCAL.notes.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def _hung_after_s() -> float:
    try:
        return float(os.environ[HUNG_AFTER])
    except (KeyError, ValueError):
        return LEAST_HUNG_AFTER_S
