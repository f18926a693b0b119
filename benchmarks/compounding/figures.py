"""The figures of each data set and seed, read from its databases, and kept as JSON beside the page. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.compounding.arm_records import ArmRecords, mark_file, ratio_of, read_arm
from benchmarks.compounding.arms import ARMS, OUR_SEARCH, SEARCH_ARMS
from benchmarks.compounding.plan import Plan, read_plan
from benchmarks.compounding.race import race_name, read_race
from benchmarks.pruned_by_hand.made_networks import accuracy_of, latency_ms_of
from objectives.base import Direction
from objectives.quantities import MAP50_95
from search.findings.parent_training import climb
from search.findings.training_noise import training_noise
from search.record.confirmation import Confirmation
from search.record.front import non_dominated
from search.record.trial import TrialRecord
from search.study.rows import PARENT_NAME
from spaces.durable import write_text


@dataclass(frozen=True)
class NetworkFigures:
    """A network's accuracy and latency.

    Attributes:
        name: Its name in the race: `H1`, `S3/trial 7`.
        val: mAP50-95 on val; `test` on test.
        epochs: Epochs of training behind it, since the parent.
        ties: Names of networks whose latency cannot be told apart from its own.
    """

    name: str
    val: float
    test: float
    ms: float
    epochs: int
    ties: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArmFigures:
    """The networks that an arm ends with, and its training; see `arm_records.Training`."""

    networks: tuple[NetworkFigures, ...]
    epochs: int
    flop_epochs: float
    seconds: float
    work_s: float


@dataclass(frozen=True)
class SeedFigures:
    """The figures of one data set and seed.

    Attributes:
        budget: Epochs that each arm has.
        parent_epochs: Epochs of the parent's own training.
        parent_climb: Growth of its accuracy over the last fifth of them.
        noise: Difference between two trainings of one trial of the search; None if there were no two.
        side_by_side: True if all networks were timed in one race; else each latency is that of its own study.
    """

    budget: int
    imgsz: int | None
    model: str
    parent: NetworkFigures
    parent_epochs: int
    parent_climb: float
    noise: float | None
    side_by_side: bool
    arms: Mapping[str, ArmFigures]

    def as_plain(self) -> dict[str, Any]:
        """Return the figures as plain values, with the digits that mean something."""
        plain: dict[str, Any] = _rounded(asdict(self))
        return plain

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> SeedFigures:
        """Return the figures that `as_plain` wrote."""
        arms = {arm: ArmFigures(**{**of, "networks": _networks(of["networks"])}) for arm, of in plain["arms"].items()}
        (parent,) = _networks([plain["parent"]])
        return SeedFigures(**{**plain, "parent": parent, "arms": arms})


Figures = Mapping[str, Mapping[int, SeedFigures]]
"""The figures by data set and seed."""


def read_figures(out: Path, json_file: Path) -> Figures:
    """Return the figures of all databases; those of the JSON stay where there is no database."""
    figures = {name: dict(seeds) for name, seeds in _stored_figures(json_file).items()}
    for file in sorted(out.glob("*/*/plan.json")):
        plan = read_plan(file.parent)
        found = None if plan is None else seed_figures(plan, file.parent)
        if plan is not None and found is not None:
            figures.setdefault(plan.name, {})[plan.seed] = found
    return {name: dict(sorted(seeds.items())) for name, seeds in sorted(figures.items())}


def write_figures(figures: Figures, json_file: Path) -> None:
    """Write the figures as JSON."""
    plain = {name: {str(seed): each.as_plain() for seed, each in seeds.items()} for name, seeds in figures.items()}
    write_text(json_file, json.dumps(plain, indent=1) + "\n")


def seed_figures(plan: Plan, folder: Path) -> SeedFigures | None:
    """Return the figures of the arms that are done; None if there is none."""
    read = {arm: read_arm(folder, arm) for arm in ARMS if mark_file(folder, arm).exists()}
    found = {arm: each for arm, each in read.items() if each is not None}
    trained = read_arm(folder, PARENT_NAME)
    if not found or trained is None:
        return None
    clock = _Clock.of(folder, found, trained.parent)
    search = found.get(OUR_SEARCH)
    noise = None if search is None else training_noise(search.records)
    return SeedFigures(
        budget=plan.budget,
        imgsz=plan.imgsz,
        model=Path(plan.model).name,
        parent=clock.figures_of(PARENT_NAME, trained.parent),
        parent_epochs=plan.parent_epochs,
        parent_climb=climb(trained.parent.rungs)[0],
        noise=None if noise is None else noise.typical,
        side_by_side=clock.race is not None,
        arms={arm: _arm_figures(each, clock) for arm, each in found.items()},
    )


@dataclass(frozen=True)
class _Clock:
    """Source of latencies: the race, if all networks took part in it; else each study, relative to the reference.

    Attributes:
        reference_ms: Time of the reference network in the parent's study.
    """

    race: Confirmation | None
    reference_ms: float

    @staticmethod
    def of(folder: Path, found: Mapping[str, ArmRecords], parent: TrialRecord) -> _Clock:
        names = {race_name(arm, record): record.checkpoint for arm, of in found.items() for record in of.networks()}
        timed, race = read_race(folder)
        covered = race is not None and names.items() <= timed.items() and all(race.named(name) for name in names)
        return _Clock(race if covered else None, latency_ms_of(parent) / ratio_of(parent))

    def figures_of(self, name: str, record: TrialRecord) -> NetworkFigures:
        """Return the figures of a network."""
        finalist = None if self.race is None else self.race.named(name)
        on_test = record.value(MAP50_95.name, "test")
        return NetworkFigures(
            name=name,
            val=accuracy_of(record),
            test=accuracy_of(record) if on_test is None else on_test,
            ms=ratio_of(record) * self.reference_ms if finalist is None else finalist.value,
            epochs=record.line_epochs,
            ties=() if finalist is None else finalist.ties,
        )


def _arm_figures(found: ArmRecords, clock: _Clock) -> ArmFigures:
    networks = [clock.figures_of(race_name(found.arm, record), record) for record in found.networks()]
    if found.arm in SEARCH_ARMS:
        networks = _front(networks)
    spent = found.training()
    ordered = tuple(sorted(networks, key=lambda each: each.ms))
    return ArmFigures(ordered, spent.epochs, spent.flop_epochs, spent.seconds, spent.work_s)


def _front(networks: list[NetworkFigures]) -> list[NetworkFigures]:
    """Return the networks that stay on the front with the latencies of the race."""
    values = [(each.val, each.ms) for each in networks]
    places = non_dominated(values, (Direction.MAXIMIZE, Direction.MINIMIZE)) if values else ()
    return [networks[place] for place in places]


def _networks(plain: list[dict[str, Any]]) -> tuple[NetworkFigures, ...]:
    return tuple(NetworkFigures(**{**each, "ties": tuple(each["ties"])}) for each in plain)


def _stored_figures(json_file: Path) -> Figures:
    if not json_file.exists():
        return {}
    plain = json.loads(json_file.read_text(encoding="utf-8"))
    return {
        name: {int(seed): SeedFigures.from_plain(each) for seed, each in seeds.items()} for name, seeds in plain.items()
    }


def _rounded(value: Any) -> Any:
    """Return plain values with floats rounded to four decimals."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
