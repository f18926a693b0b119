"""A user's limit to the time that measurements wait for an idle machine."""

from __future__ import annotations

import pytest

from objectives.device.target import TargetError
from objectives.timing.idle_wait import IDLE_WAIT, wait_at_most
from objectives.timing.protocol import REFERENCES, InterleavedTiming, MeasuringBudget
from search.latency.local import USUAL_WAIT, wait_of_user
from tests.objectives.timing.test_protocol import REFERENCE_S, Machine


@pytest.mark.parametrize(
    ("given", "wait_s", "tries"),
    [
        (None, 12.0, USUAL_WAIT.tries),
        ("", 12.0, USUAL_WAIT.tries),
        ("0", 0.0, 1),
        ("7.5", 7.5, 2),
        ("3600", 12.0, USUAL_WAIT.tries),
    ],
)
def test_each_wait_is_the_usual_one_or_the_users_limit(
    monkeypatch: pytest.MonkeyPatch, given: str | None, wait_s: float, tries: int
) -> None:
    monkeypatch.delenv(IDLE_WAIT) if given is None else monkeypatch.setenv(IDLE_WAIT, given)
    assert wait_at_most(12.0) == wait_s
    assert (wait_of_user().tries, wait_of_user().wait_s) == (tries, USUAL_WAIT.wait_s)


@pytest.mark.parametrize("given", ["soon", "-1", "nan"])
def test_what_is_no_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(IDLE_WAIT, given)
    with pytest.raises(TargetError, match=f"YOLOFRONT_IDLE_WAIT is '{given}'; it has to be a number of seconds"):
        wait_of_user()


@pytest.mark.parametrize("limit_s", [0.0, 1.0])
def test_on_a_machine_that_is_always_slow_nothing_waits_longer_than_the_limit(limit_s: float) -> None:
    machine = Machine(0)
    references = [machine.load(REFERENCE_S, is_network=False) for _ in range(REFERENCES)]
    timing = InterleavedTiming(references, machine.clock, "cpu", machine.sleep, wait_s=limit_s)
    timing.reference_alone()  # learns the machine's speed
    machine.slow_share = 1.0
    for _ in range(3):
        before_s = timing.waited[1]
        timings = timing.time(lambda: machine.load(0.6 * REFERENCE_S), MeasuringBudget())
        assert timing.waited[1] - before_s <= limit_s + 0.5, "the last look may begin just before the end"
        assert timings.ratio("cpu").median == pytest.approx(0.6, rel=0.05)
