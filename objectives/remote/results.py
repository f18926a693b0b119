"""Results of a plan that another machine measured, stored as `results.json`. Needs only numpy."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from objectives.device.target import Target
from objectives.remote.plan import FORMAT, RESULTS, Plan, PlanError, read_json
from objectives.timing.timings import Block, Timings
from spaces.durable import write_text

_MOST_BYTES = 256 * 1024**2  # a network takes some 20 kB
_SHORTEST_S, _LONGEST_S = 1e-7, 3600.0  # of one run
_MOST_LOADINGS, _MOST_BLOCKS, _MOST_RUNS = 100, 100, 1000  # several times those of the protocol
_LONGEST_TEXT = 500  # of a description or a reason


@dataclass(frozen=True)
class Results:
    """All results so far.

    Attributes:
        plan: Key of the plan.
        target: Target of the measurement: device, engine, provider and threads of that machine.
        reference: Timings of the reference alone, taken before all networks; None before that.
        timings: Timings by the network's name.
        failed: Reason why a network could not be timed, by its name.
        begun: Number of unfinished tries by the network's name: a network that always kills the process is left out.
    """

    plan: str
    target: Target
    reference: Timings | None = None
    timings: Mapping[str, Timings] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    begun: Mapping[str, int] = field(default_factory=dict)

    def beginning(self, name: str) -> Results:
        """Return the results with one more try of a network."""
        return replace(self, begun={**self.begun, name: self.begun.get(name, 0) + 1})

    def with_timings(self, name: str, timings: Timings) -> Results:
        """Return the results with a network that was timed."""
        return replace(self._ended(name), timings={**self.timings, name: timings})

    def with_failure(self, name: str, reason: str) -> Results:
        """Return the results with a network that cannot be timed there."""
        return replace(self._ended(name), failed={**self.failed, name: reason[:_LONGEST_TEXT]})

    def _ended(self, name: str) -> Results:
        return replace(self, begun={other: tries for other, tries in self.begun.items() if other != name})

    def write(self, folder: Path) -> None:
        """Write `results.json`. If the process is killed meanwhile, the old or the new file remains."""
        plain: dict[str, Any] = {
            "format": FORMAT,
            "plan": self.plan,
            "target": self.target.description(),
            "reference": None if self.reference is None else self.reference.as_plain(),
            "networks": {name: timings.as_plain() for name, timings in self.timings.items()},
            "failed": dict(self.failed),
            "begun": dict(self.begun),
        }
        write_text(folder / RESULTS, json.dumps(plain))


def read_results(folder: Path, plan: Plan) -> Results:
    """Return the results in a plan's folder.

    Raises:
        PlanError: If there are none, they are damaged, or they are of another plan.
    """
    path = folder / RESULTS
    plain = read_json(path, "the results are", _MOST_BYTES)
    if plain.get("plan") != plan.key:
        raise PlanError(f"'{path}' is of another plan; move it away, then measure this one")
    try:
        networks = {name: Timings.from_plain(times) for name, times in plain["networks"].items()}
        reference = None if plain["reference"] is None else Timings.from_plain(plain["reference"])
        failed = {name: reason[:_LONGEST_TEXT] for name, reason in plain["failed"].items()}
        results = Results(plan.key, Target(**plain["target"]), reference, networks, failed, plain["begun"])
        _check(results, plan)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise PlanError(f"'{path}' is damaged: {str(error)[:200]}") from error
    return results


def _check(results: Results, plan: Plan) -> None:
    """Check the values, because the file comes from another machine.

    Raises:
        ValueError: If the target does not fit the plan, a network is not in the plan, or a time is missing or wrong.
    """
    target = results.target
    _check_texts(target.description(), (str, int))
    _check_texts(results.failed, (str,))
    if not all(isinstance(tries, int) for tries in results.begun.values()):
        raise ValueError("'begun' is no number of tries for each network")
    asked = (plan.precision, plan.imgsz, plan.batch, plan.compared_with, plan.calibration)
    if (target.precision, target.imgsz, target.batch, target.reference, target.calibration) != asked:
        raise ValueError(f"its target, {target}, is not the plan's")
    for name in (*results.timings, *results.failed):
        if name not in {network.name for network in plan.networks}:
            raise ValueError(f"'{name}' is not in the plan")
    for name, timings in (("the reference", results.reference), *results.timings.items()):
        if timings is not None:
            _check_times(name, timings, alone=timings is results.reference)


def _check_texts(values: Mapping[str, object], kinds: tuple[type, ...]) -> None:
    for name, value in values.items():
        if not isinstance(value, kinds) or len(str(value)) > _LONGEST_TEXT:
            raise ValueError(f"'{name[:_LONGEST_TEXT]}' is no text of at most {_LONGEST_TEXT} characters")


def _check_times(name: str, timings: Timings, *, alone: bool) -> None:
    if not 0 < len(timings.loadings) <= _MOST_LOADINGS:
        raise ValueError(f"{name} has {len(timings.loadings)} loadings; 1 to {_MOST_LOADINGS} are possible")
    if not 0 <= timings.cpu_seconds < math.inf or not timings.slow_s > 0:
        raise ValueError(f"{name} has a duration that is none")
    seen = timings.circumstances
    if not all(value is None or math.isfinite(value) for value in (seen.others_busy, seen.mhz, seen.celsius)):
        raise ValueError(f"{name} has circumstances that are no numbers")
    _check_texts(dict(zip(seen.foreign, seen.foreign, strict=True)), (str,))
    for loading in timings.loadings:
        if not loading.reference or (not alone and len(loading.reference) != len(loading.network) + 1):
            raise ValueError(f"{name} has a loading without times of network and reference")
        if len(loading.reference) > _MOST_BLOCKS:
            raise ValueError(
                f"{name} has a loading of {len(loading.reference)} blocks; at most {_MOST_BLOCKS} are possible"
            )
        for block in (*loading.reference, *loading.network):
            _check_block(name, block)


def _check_block(name: str, block: Block) -> None:
    if not 0 < len(block.wall_s) <= _MOST_RUNS or len(block.cpu_s) != len(block.wall_s):
        raise ValueError(f"{name} has a block without times, or with too many")
    for each in (*block.cpu_s, *block.wall_s):
        if isinstance(each, bool) or not _SHORTEST_S <= each <= _LONGEST_S:  # a comparison with NaN is false
            raise ValueError(f"{name} has a time of {each:g} s; {_SHORTEST_S:g} to {_LONGEST_S:g} s are possible")
