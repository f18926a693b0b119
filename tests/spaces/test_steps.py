"""The watcher of a process counts its steps, and only the time in which the watcher itself ran."""

from __future__ import annotations

import threading

from spaces.step_watch import LEAST_HUNG_AFTER_S, StepWatch
from spaces.steps import note_step, share_steps, silence_this_thread, steps_made


class Work:
    """Work whose clock and steps the test sets."""

    def __init__(self, hung_after_s: float | None = None) -> None:
        self.now, self.made = 0.0, 0.0
        self.watch = StepWatch(lambda: self.made, hung_after_s, monotonic=lambda: self.now)

    def hangs_after(self, seconds: float, look_s: float = 1.0) -> bool:
        """Look every second for a while. Return whether the work hangs at its end."""
        for _ in range(round(seconds / look_s)):
            self.now += look_s
            self.watch.hangs()
        return self.watch.hangs()


def test_without_a_step_for_ten_minutes_work_hangs() -> None:
    work = Work()
    assert not work.hangs_after(LEAST_HUNG_AFTER_S)
    assert work.hangs_after(1.0)
    work.made += 1
    assert not work.hangs_after(LEAST_HUNG_AFTER_S)


def test_slow_steps_give_more_time_to_the_next_one() -> None:
    work = Work()
    work.hangs_after(200.0)
    work.made += 1
    assert not work.hangs_after(1990.0)
    assert work.hangs_after(30.0)


def test_a_time_that_the_user_sets_is_taken() -> None:
    work = Work(hung_after_s=3.0)
    assert not work.hangs_after(3.0)
    assert work.hangs_after(1.0)


def test_time_in_which_the_watching_process_was_stopped_itself_does_not_count() -> None:
    work = Work(hung_after_s=60.0)
    assert not work.hangs_after(36000.0, look_s=36000.0)


def test_a_thread_that_goes_on_while_the_work_hangs_makes_no_steps() -> None:
    def beat() -> None:
        silence_this_thread()
        note_step()

    before, thread = steps_made(), threading.Thread(target=beat)
    thread.start()
    thread.join()
    assert steps_made() == before
    note_step()
    assert steps_made() == before + 1


def test_steps_are_counted_on_in_a_place_that_is_shared() -> None:
    before, place = steps_made(), [0.0]
    note_step()
    share_steps(place)
    note_step()
    assert place == [before + 2]
    assert steps_made() == before + 2
