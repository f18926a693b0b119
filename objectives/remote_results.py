"""What another machine measured of a plan, as it stands in `results.json`. Needs numpy alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from objectives.remote_plan import FORMAT, RESULTS, Plan, PlanError, read_json
from objectives.target import Target
from objectives.timings import Timings


@dataclass(frozen=True)
class Results:
    """Everything seen so far.

    Attributes:
        plan: Key of the plan.
        target: Where it was measured: that machine's device, engine, provider and threads.
        reference: The reference by itself, timed before all networks; None before that.
        timings: By the network's name.
        failed: Why a network could not be timed, by its name.
        begun: How often timing a network was begun without an end: what kills the process time and again is left out.
    """

    plan: str
    target: Target
    reference: Timings | None = None
    timings: Mapping[str, Timings] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    begun: Mapping[str, int] = field(default_factory=dict)

    def beginning(self, name: str) -> Results:
        """One try more."""
        return replace(self, begun={**self.begun, name: self.begun.get(name, 0) + 1})

    def with_timings(self, name: str, timings: Timings) -> Results:
        """A network that was timed."""
        return replace(self._ended(name), timings={**self.timings, name: timings})

    def with_failure(self, name: str, reason: str) -> Results:
        """A network that cannot be timed there."""
        return replace(self._ended(name), failed={**self.failed, name: reason})

    def _ended(self, name: str) -> Results:
        return replace(self, begun={other: tries for other, tries in self.begun.items() if other != name})

    def write(self, folder: Path) -> None:
        """Write `results.json` aside and put it in place: a kill at any moment leaves the old or the new one."""
        plain: dict[str, Any] = {
            "format": FORMAT,
            "plan": self.plan,
            "target": self.target.description(),
            "reference": None if self.reference is None else self.reference.as_plain(),
            "networks": {name: timings.as_plain() for name, timings in self.timings.items()},
            "failed": dict(self.failed),
            "begun": dict(self.begun),
        }
        partial = folder / f".{RESULTS}.partial"
        with partial.open("w", encoding="utf-8") as file:
            json.dump(plain, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / RESULTS)


def read_results(folder: Path, plan: Plan) -> Results:
    """The results in a plan's folder.

    Raises:
        PlanError: If there are none, they are damaged, or they are of another plan.
    """
    path = folder / RESULTS
    plain = read_json(path, "the results are")
    if plain.get("plan") != plan.key:
        raise PlanError(f"'{path}' is of another plan; move it away, then measure this one")
    try:
        networks = {name: Timings.from_plain(seen) for name, seen in plain["networks"].items()}
        reference = None if plain["reference"] is None else Timings.from_plain(plain["reference"])
        return Results(plan.key, Target(**plain["target"]), reference, networks, plain["failed"], plain["begun"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(f"'{path}' is damaged: {error}") from error
