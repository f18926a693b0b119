"""Course of a race: when each network is timed, and when the race ends. Needs only numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from objectives.timing.race import ENOUGH, LEAST, Race, mean_s
from objectives.timing.timings import Block

MOST_ROUNDS = 200
CHECK_GROWTH = 1.15  # growth of the observations until the next check: each check is a chance to stop too early
RETRIES = 2  # of a block that fell into a slow phase
RACE_PATIENCE = 2  # multiple of the budget that may be spent while slow phases leave too few observations


def run_race(
    count: int,
    block: Callable[[int | None], Block],
    *,
    clock: str,
    cpu_seconds: Callable[[], float],
    cpu_budget_s: float,
    seed: int,
    load: Callable[[Sequence[int]], None] | None = None,
    rounds_a_loading: int = 1,
    wait: Callable[[], bool] = lambda: True,
    slow_s: Callable[[], float] = lambda: math.inf,
) -> Race:
    """Race until all neighbours are decided or the budget is spent, whichever comes first.

    Args:
        count: Number of networks.
        block: Times one block of the network with that number; of the reference for None.
        clock: `cpu` or `wall`: the clock that decides the order.
        cpu_seconds: Returns the CPU time spent so far.
        load: Loads all networks again, in the given order; called before every `rounds_a_loading` rounds. The order is
            random: the position in it can change a network by 1 to 2 % for as long as it stays loaded.
        seed: Seed of the orders.
        wait: Waits until the machine is undisturbed or the time is up, and returns whether it is undisturbed. Called
            before each loading, and when the machine gets slow.
        slow_s: Returns the mean run of a reference block above which the machine is slow, as known at that time.
    """
    random = np.random.default_rng(seed)
    reference, orders = list[Block](), list[tuple[int, ...]]()
    networks: list[list[Block]] = [[] for _ in range(count)]
    next_check = ENOUGH
    for observed in range(1, MOST_ROUNDS + 1):
        wait()
        if load is not None:
            load([int(number) for number in random.permutation(count)])
        reference = reference or [block(None)]
        for _ in range(rounds_a_loading):
            orders.append(tuple(int(number) for number in random.permutation(count)))
            for number in orders[-1]:
                timed, after = block(number), block(None)
                for _ in range(RETRIES):
                    if max(mean_s(reference[-1], clock), mean_s(after, clock)) <= slow_s() or not wait():
                        break
                    reference[-1] = block(None)  # valid for the network before it as well
                    timed, after = block(number), block(None)
                networks[number].append(timed)
                reference.append(after)
        spent = cpu_seconds() >= cpu_budget_s and observed >= LEAST
        if not (spent or observed >= next_check or observed == MOST_ROUNDS):
            continue
        loadings = () if load is None else tuple(round_ // rounds_a_loading for round_ in range(len(orders)))
        blocks = tuple(map(tuple, networks))
        race = Race(tuple(reference), blocks, tuple(orders), cpu_seconds(), loadings=loadings)
        if spent and race.undisturbed_rounds(clock) < ENOUGH and cpu_seconds() < RACE_PATIENCE * cpu_budget_s:
            continue
        if spent or not race.undecided(clock):
            break
        next_check = math.ceil(CHECK_GROWTH * observed)
    return race
