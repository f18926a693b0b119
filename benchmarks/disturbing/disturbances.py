"""Disturbances, one function each: it disturbs, undoes what does not pass by itself, and says what is awaited."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from benchmarks.disturbing.databases import DisturbedDatabase
from benchmarks.disturbing.machine import STALE_AFTER_S
from benchmarks.disturbing.run_folder import MovedClock, SmallDisk
from benchmarks.disturbing.watched_study import WatchedStudy
from search.store.base import OpenAttempt

HUNG_AFTER_S = 45
"""Seconds without progress after which the supervisor ends a worker."""
GRACE_S = 60.0
"""Seconds after a disturbance that ends commands in which they may end."""


@dataclass(frozen=True)
class Victim:
    """Everything that can be disturbed, and the dice that choose."""

    study: WatchedStudy
    database: DisturbedDatabase
    disk: SmallDisk
    clock: MovedClock
    dice: random.Random

    def running_trial(self, command: int | None = None) -> tuple[int, psutil.Process] | None:
        """Return a trial that runs, and its worker; of one command only, if it is given."""
        found = self._running(command)
        if not found:
            self.study.wait(GRACE_S, until=lambda: bool(self._running(command)))
            found = self._running(command)
        return self.dice.choice(found) if found else None

    def _running(self, command: int | None) -> list[tuple[int, psutil.Process]]:
        commands = self.study.commands if command is None else [self.study.commands[command]]
        workers = {each.pid: each for one in commands for each in one.workers()}
        return [(number, workers[pid]) for number, pid in map(_trial_of, self.study.running()) if pid in workers]


def _trial_of(attempt: OpenAttempt) -> tuple[int, int]:
    if attempt.number is None or attempt.worker is None:
        raise ValueError("the attempt does not run")
    return attempt.number, attempt.worker.pid


def kill_in_trial(victim: Victim) -> None:
    """Kill a worker within its trial."""
    found = victim.running_trial()
    if found is not None:
        with suppress(psutil.Error):
            found[1].kill()
        victim.study.await_trial(found[0], f"trial {found[0]} after its worker was killed")


def kill_anywhere(victim: Victim) -> None:
    """Kill any worker, whatever it does: it may load, wait or be between two trials."""
    workers = [each for command in victim.study.commands for each in command.workers()]
    if workers:
        with suppress(psutil.Error):
            victim.dice.choice(workers).kill()
    victim.study.await_any("the study after a worker was killed")


def kill_command(victim: Victim) -> None:
    """Kill a command and all its workers."""
    victim.study.may_end_until = time.monotonic() + GRACE_S
    victim.dice.choice(victim.study.commands).kill_all()
    victim.study.await_any("the study after a command was killed")


def stop_for_a_while(victim: Victim) -> None:
    """Stop a worker within its trial, and let it go on."""
    found = victim.running_trial()
    if found is None:
        return
    with suppress(psutil.Error):
        found[1].suspend()
        victim.study.wait(victim.dice.uniform(2, 12))
        found[1].resume()
    victim.study.await_trial(found[0], f"trial {found[0]} after its worker was stopped for a while")


def hang(victim: Victim) -> None:
    """Stop a worker within its trial, and never let it go on: whoever watches its progress must end it."""
    found = victim.running_trial(command=0)
    if found is None:
        return
    number, worker = found
    with suppress(psutil.Error):
        worker.suspend()
    victim.study.await_trial(number, f"trial {number} after its worker hung", lambda: not worker.is_running())


def lose_sight(victim: Victim) -> None:
    """Stop a worker on the other machine until its trial is taken up here, then let it go on: it must drop its work."""
    found = victim.running_trial(command=1)
    if found is None:
        return
    number, worker = found
    with suppress(psutil.Error):
        worker.suspend()

    def resume() -> None:
        with suppress(psutil.Error):
            worker.resume()

    timer = threading.Timer(STALE_AFTER_S * 1.5, resume)
    timer.daemon = True
    timer.start()
    victim.study.await_trial(number, f"trial {number} after its worker elsewhere was out of sight")


def take_database_away(victim: Victim) -> None:
    """Let the database go away for some seconds. No worker may end because of it."""
    workers = [each for command in victim.study.commands for each in command.workers()]
    hard = victim.dice.random() < 0.5
    victim.database.go_away(victim.dice.uniform(2, 15), hard=hard)
    gone = [each.pid for each in workers if not each.is_running()]
    if gone:
        victim.study.stuck(f"{len(gone)} of {len(workers)} workers ended because the database was away")
    victim.study.await_any("the study after the database was away")


def fill_disk(victim: Victim) -> None:
    """Fill the disk of the run folder for some seconds. The commands may end, and are then started again."""
    victim.study.may_end_until = time.monotonic() + 2 * GRACE_S
    victim.disk.fill()
    time.sleep(victim.dice.uniform(2, 8))
    victim.disk.free()
    victim.study.await_any("the study after the disk was full")


def move_clock(victim: Victim) -> None:
    """Move the clock of all processes by hours or days, forward or back."""
    hours = victim.dice.choice((-1, 1)) * victim.dice.uniform(1, 100)
    victim.clock.move(int(hours * 3600))
    victim.study.await_any("the study after its clock was moved")


DISTURBANCE_KINDS: Mapping[str, Callable[[Victim], None]] = {
    "worker killed within a trial": kill_in_trial,
    "worker killed at any moment": kill_anywhere,
    "command killed with its workers": kill_command,
    "worker stopped and continued": stop_for_a_while,
    "worker hangs": hang,
    "worker out of sight, then back": lose_sight,
    "database away": take_database_away,
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
