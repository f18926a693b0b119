"""One network, one latency: the study, the race, an export and the bench time it on clocks that jump and slow down.

Each command has its own session, in which the network is a little faster or slower than in others. The figures must
agree within their 95 % intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest

from benchmarks.timing.simulated_clock import DISTURBANCES, Disturbance, SimulatedMachine, simulate_measurement
from objectives.base import Measurement
from objectives.device.target import Target
from objectives.timing.meter import Latency, latency_of
from objectives.timing.protocol import REFERENCES, InterleavedTiming
from objectives.timing.race import Race
from objectives.timing.race_run import run_race
from objectives.timing.session_spread import usual_sd
from objectives.timing.timings import Block, Timings
from search.finish.race import confirmation_of
from search.latency.local import LocalLatency
from search.store.base import Store
from search.store.entries import TargetEntry
from search.store.sql import open_store
from spaces.base import Candidate
from tests.objectives.networks import candidate

NETWORKS_MS = (0.3, 3.0, 30.0, 300.0)
SESSIONS = 6
"""Number of sessions of each command, for each network."""
TARGET = Target("onnxruntime", "cpu", "fp32", 96, 1, 1, "a CPU", "an engine", "yolov8n of some shape")
RATIO = 0.6


@dataclass(frozen=True)
class Session:
    """A session of one command: its disturbance, and the network's true ratio in it."""

    number: int
    disturbance: Disturbance
    ratio: float
    reference_ms: float

    @property
    def target(self) -> Target:
        return replace(TARGET, engine=f"engine of session {self.number}")

    def timings(self) -> Timings:
        return simulate_measurement(self.disturbance, self.ratio, seed=self.number)

    def race(self) -> Race:
        """The network and one that takes twice as long, timed in turn."""
        machine = SimulatedMachine(self.disturbance, self.number)
        turns = InterleavedTiming([machine.load(0.004) for _ in range(REFERENCES)], machine.clock, "cpu", machine.sleep)
        loaded = {}

        def load(order: object) -> None:
            loaded.update({number: machine.load(0.004 * self.ratio * (1 + number)) for number in (0, 1)})

        def block(number: int | None) -> Block:
            return turns.block(turns.reference(0) if number is None else loaded[number])

        return run_race(
            2,
            block,
            clock="cpu",
            cpu_seconds=lambda: machine.clock()[0],
            cpu_budget_s=3.0,
            seed=self.number,
            load=load,
            rounds_a_loading=2,
            wait=turns.waiting(3.0),
            slow_s=lambda: turns.slow_s,
        )


class SimulatedMeter:
    """A meter on a simulated clock."""

    def __init__(self, session: Session) -> None:
        self.session, self.target = session, session.target

    def device_is_idle(self) -> bool:
        return True

    def reference_timings(self) -> Timings:
        raise AssertionError("it is frozen already")

    def measure(self, candidate: Candidate, reference_ms: float, limit_ms: float | None = None) -> Latency:
        return latency_of(self.session.timings(), self.target, reference_ms)


def in_a_study(session: Session, store: Store) -> Measurement:
    store.add_target(TargetEntry(session.target.key, {}, session.reference_ms))
    return LocalLatency(store, SimulatedMeter(session)).latency(candidate())


def in_a_race(session: Session, store: Store) -> Measurement:
    entry = TargetEntry(session.target.key, {}, session.reference_ms)
    found = confirmation_of(session.race(), [["trial 1"], ["trial 2"]], entry, "cpu").members[0]
    assert found.name == "trial 1"
    return Measurement("latency_ms", found.value, unit="ms", low=found.low, high=found.high)


def by_bench_or_export(session: Session, store: Store) -> Measurement:
    return latency_of(session.timings(), session.target, session.reference_ms).measurement


COMMANDS: tuple[Callable[[Session, Store], Measurement], ...] = (in_a_study, in_a_race, by_bench_or_export)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with closing(open_store("sqlite://")) as opened:
        yield opened


@pytest.fixture(scope="module")
def figures(store: Store) -> dict[float, list[Measurement]]:
    """For each network its figures, of all commands and sessions."""
    random, number = np.random.default_rng(0), 0
    found: dict[float, list[Measurement]] = {}
    for ms in NETWORKS_MS:
        for command in COMMANDS * SESSIONS:
            disturbance = list(DISTURBANCES.values())[number % len(DISTURBANCES)]
            moved = math.exp(usual_sd(ms) * random.standard_normal())
            session = Session(number, disturbance, RATIO * moved, ms / RATIO)
            found.setdefault(ms, []).append(command(session, store))
            number += 1
    return found


def share_of_overlaps(figures: list[Measurement]) -> float:
    """Return the share of pairs whose intervals overlap."""
    pairs = list(combinations([each.interval for each in figures], 2))
    return sum(low <= other_high and other_low <= high for (low, high), (other_low, other_high) in pairs) / len(pairs)


@pytest.mark.parametrize("ms", NETWORKS_MS)
def test_figures_of_all_commands_agree_within_their_intervals(
    figures: dict[float, list[Measurement]], ms: float
) -> None:
    assert share_of_overlaps(figures[ms]) >= 0.9
    middle = float(np.median([each.value for each in figures[ms]]))
    assert middle == pytest.approx(ms, rel=2 * usual_sd(ms))
    contained = [each.interval[0] <= ms <= each.interval[1] for each in figures[ms]]
    assert np.mean(contained) >= 0.8  # 18 draws of at least 93 %


def test_the_interval_within_a_session_alone_would_be_too_narrow() -> None:
    """It is what the intervals were before: this test tells whether the other one can fail."""
    random = np.random.default_rng(0)
    within = []
    for number in range(24):
        disturbance = list(DISTURBANCES.values())[number % len(DISTURBANCES)]
        ratio = simulate_measurement(disturbance, RATIO * math.exp(usual_sd(0.3) * random.standard_normal()), number)
        found = ratio.ratio("cpu")
        within.append(Measurement("latency_ms", found.median, unit="ms", low=found.low, high=found.high))
    assert share_of_overlaps(within) < 0.6


@pytest.mark.parametrize("ms", NETWORKS_MS)
def test_a_network_below_a_millisecond_says_that_its_clock_is_coarse(
    figures: dict[float, list[Measurement]], ms: float
) -> None:
    width = np.median([(each.interval[1] - each.interval[0]) / each.value for each in figures[ms]])
    assert (width > 0.15) == (ms < 1.0)
