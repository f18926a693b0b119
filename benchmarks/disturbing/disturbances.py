"""Disturbances, one function each: it disturbs, undoes what does not pass by itself, and says what is awaited.

Each returns whether it could be tried: there may be no running trial to disturb.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from benchmarks.disturbing.databases import DisturbedDatabase
from benchmarks.disturbing.machine import STALE_AFTER_S
from benchmarks.disturbing.run_folder import BlockedFileSystem, MovedClock, SmallDisk
from benchmarks.disturbing.watched_study import WatchedStudy
from benchmarks.disturbing.worker_faults import DEADLOCK, FILE_SYSTEM
from search.store.base import OpenAttempt

BLOCKS_WITHIN_S = 5.0
"""Seconds in which a worker reaches a file system that is blocked."""
GRACE_S = 60.0
"""Seconds after a disturbance that ends commands in which they may end."""


@dataclass(frozen=True)
class Victim:
    """Everything that can be disturbed, and the dice that choose.

    Attributes:
        longest_outage_s: Longest time in seconds that the database is away.
        hung: Workers that were made to hang; they are not disturbed again.
    """

    study: WatchedStudy
    database: DisturbedDatabase
    disk: SmallDisk
    clock: MovedClock
    blocked: BlockedFileSystem
    dice: random.Random
    longest_outage_s: float
    hung: set[psutil.Process] = field(default_factory=set)

    def running_trial(self, command: int | None = None) -> tuple[int, psutil.Process] | None:
        """Return a trial that runs, and its worker; of one command only, if it is given."""
        found = self._running(command)
        if not found:
            self.study.wait(GRACE_S, until=lambda: bool(self._running(command)))
            found = self._running(command)
        return self.dice.choice(found) if found else None

    def trials_of(self, worker: psutil.Process) -> list[int]:
        """Return the numbers of the trials that a worker runs now: one or none."""
        return [number for number, each in self._running(None) if each == worker]

    def _running(self, command: int | None) -> list[tuple[int, psutil.Process]]:
        commands = self.study.commands if command is None else [self.study.commands[command]]
        workers = {each.pid: each for one in commands for each in one.workers() if each not in self.hung}
        return [(number, workers[pid]) for number, pid in map(_trial_of, self.study.running()) if pid in workers]


def _trial_of(attempt: OpenAttempt) -> tuple[int, int]:
    if attempt.number is None or attempt.worker is None:
        raise ValueError("the attempt does not run")
    return attempt.number, attempt.worker.pid


def kill_in_trial(victim: Victim) -> bool:
    """Kill a worker within its trial."""
    return _disturb_trial(victim, psutil.Process.kill, "its worker was killed")


def kill_anywhere(victim: Victim) -> bool:
    """Kill any worker, whatever it does: it may load, wait or be between two trials."""
    workers = [each for command in victim.study.commands for each in command.workers()]
    killed = bool(workers) and _did(psutil.Process.kill, victim.dice.choice(workers))
    if killed:
        victim.study.await_any("the study after a worker was killed")
    return killed


def kill_command(victim: Victim) -> bool:
    """Kill a command and all its workers."""
    victim.study.may_end_until = time.monotonic() + GRACE_S
    victim.dice.choice(victim.study.commands).kill_all()
    victim.study.await_any("the study after a command was killed")
    return True


def stop_for_a_while(victim: Victim) -> bool:
    """Stop a worker within its trial, and let it go on."""

    def stop(worker: psutil.Process) -> None:
        worker.suspend()
        victim.study.wait(victim.dice.uniform(2, 12))
        worker.resume()

    return _disturb_trial(victim, stop, "its worker was stopped for a while")


def hang(victim: Victim) -> bool:
    """Stop a worker within its trial, and never let it go on: whoever watches its progress must end it."""
    return _disturb_trial(victim, psutil.Process.suspend, "its worker hung", command=0, must_end=True)


def deadlock(victim: Victim) -> bool:
    """Let a worker within its trial wait for a thread that waits for it."""
    return _disturb_trial(victim, _sending(DEADLOCK), "its worker was deadlocked", command=0, must_end=True)


def hang_in_file_system(victim: Victim) -> bool:
    """Let a worker within its trial write to a blocked file system, until its trial is stored by another one.

    The kernel holds that process; it must have ended when the file system is back.
    """
    is_blocked = True

    def free() -> None:
        nonlocal is_blocked
        if is_blocked:
            victim.blocked.free()
        is_blocked = False

    def hang_within(worker: psutil.Process) -> None:
        trials = victim.trials_of(worker)
        worker.send_signal(FILE_SYSTEM)
        hangs = victim.study.wait(BLOCKS_WITHIN_S, until=lambda: worker.status() == psutil.STATUS_DISK_SLEEP)
        if not hangs or victim.trials_of(worker) != trials:  # it has just ended its trial
            raise psutil.NoSuchProcess(worker.pid)

    what = "its worker hung in a file system"
    victim.blocked.block()
    tried = _disturb_trial(victim, hang_within, what, command=0, must_end=True, at_end=free)
    if not tried:
        free()
    return tried


def lose_sight(victim: Victim) -> bool:
    """Stop a worker on the other machine until its trial is taken up here, then let it go on: it must drop its work."""

    def stop(worker: psutil.Process) -> None:
        worker.suspend()
        timer = threading.Timer(STALE_AFTER_S * 1.5, _did, (psutil.Process.resume, worker))
        timer.daemon = True
        timer.start()

    return _disturb_trial(victim, stop, "its worker elsewhere was out of sight", command=1)


def take_database_away(victim: Victim) -> bool:
    """Let the database go away for some seconds. No worker may end because of it."""
    workers = [each for command in victim.study.commands for each in command.workers()]
    hard = victim.dice.random() < 0.5
    victim.database.go_away(victim.dice.uniform(2, victim.longest_outage_s), hard=hard)
    gone = [each for each in workers if not each.is_running()]
    if gone:
        victim.study.stuck(f"{len(gone)} of {len(workers)} workers ended because the database was away")
    victim.study.await_any("the study after the database was away")
    return True


def fill_disk(victim: Victim) -> bool:
    """Fill the disk of the run folder for some seconds. The commands may end, and are then started again."""
    victim.study.may_end_until = time.monotonic() + 2 * GRACE_S
    victim.disk.fill()
    time.sleep(victim.dice.uniform(2, 8))
    victim.disk.free()
    victim.study.await_any("the study after the disk was full")
    return True


def move_clock(victim: Victim) -> bool:
    """Move the clock of all processes by hours or days, forward or back."""
    hours = victim.dice.choice((-1, 1)) * victim.dice.uniform(1, 100)
    victim.clock.move(int(hours * 3600))
    victim.study.await_any("the study after its clock was moved")
    return True


def _disturb_trial(
    victim: Victim,
    disturb: Callable[[psutil.Process], None],
    what: str,
    *,
    command: int | None = None,
    must_end: bool = False,
    at_end: Callable[[], None] = lambda: None,
) -> bool:
    """Disturb the worker of a running trial, and expect that the trial is stored.

    Args:
        what: What happened to the worker, for the message about a trial that is not stored.
        command: Number of the command whose worker is disturbed; any by default.
        must_end: Whether the worker's process must end as well.
        at_end: Called when the trial is stored.
    """
    found = victim.running_trial(command)
    if found is None or not _did(disturb, found[1]):
        return False
    number, worker = found
    if must_end:
        victim.hung.add(worker)

    def is_over() -> bool:
        at_end()
        return not must_end or _has_ended(worker)

    victim.study.await_trial(number, f"trial {number} after {what}", is_over)
    return True


def _has_ended(worker: psutil.Process) -> bool:
    """Return whether a process has ended; its parent may not have asked for its exit code yet."""
    with suppress(psutil.NoSuchProcess):
        return not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    return True


def _did(act: Callable[[psutil.Process], None], worker: psutil.Process) -> bool:
    """Do something to a worker. Return whether it was still there."""
    with suppress(psutil.Error):
        act(worker)
        return True
    return False


def _sending(number: int) -> Callable[[psutil.Process], None]:
    return lambda worker: worker.send_signal(number)


OUTAGE = "database away"
"""The disturbance after which no trial may begin again."""
DISTURBANCE_KINDS: Mapping[str, Callable[[Victim], bool]] = {
    "worker killed within a trial": kill_in_trial,
    "worker killed at any moment": kill_anywhere,
    "command killed with its workers": kill_command,
    "worker stopped and continued": stop_for_a_while,
    "worker hangs": hang,
    "worker deadlocked": deadlock,
    "worker hangs in a file system": hang_in_file_system,
    "worker out of sight, then back": lose_sight,
    OUTAGE: take_database_away,
    "disk full": fill_disk,
    "clock moved": move_clock,
}
KILLS = ("worker killed within a trial", "worker killed at any moment")
"""The disturbances that come more often than the others; half of them within trials."""


def schedule(dice: random.Random, kinds: list[str]) -> list[str]:
    """Return one round: each kind once in random order, and before each of them a kill."""
    order = [kind for kind in kinds if kind not in KILLS]
    dice.shuffle(order)
    kills = [kind for kind in KILLS if kind in kinds]
    if not kills or not order:
        return order or kills
    return [each for index, kind in enumerate(order) for each in (kills[index % len(kills)], kind)]
