"""A study as it could have come out: seeded, real types, no training behind it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from objectives.base import Curves, Direction, EpochResult, Evaluation, Measurement
from objectives.quantities import MAP75, MEMORY_MIB, MIB
from search.record.front import Front
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry, WorkerId
from search.store.entries import FrontEntry, TargetEntry
from spaces.base import PARENT, ArchSpec, Origin, ParamValue

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TARGET = "onnxruntime-cpu-fp32"
GROUPS = tuple(f"model.{layer}.{part}" for layer in range(10) for part in ("cv1", "m.0.cv1", "cv2"))
WIDTHS = tuple(16 * 2 ** (index // 8) for index in range(len(GROUPS)))
DONORS = ("one-shot", "round-2", "round-3")
OBJECTIVES = (("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE))
THREE_OBJECTIVES = (*OBJECTIVES, ("memory_mib", Direction.MINIMIZE))
WORST = (0.0, 20.0, 20.0)
LIMIT_MS = 14.0
CHECKPOINT = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Plausible:
    """A stored study's parts: what a `Store` returns for it."""

    study: StudyEntry
    records: tuple[TrialRecord, ...]
    fronts: tuple[FrontEntry, ...]


def plausible_spec(ratio: float, chance: random.Random) -> ArchSpec:
    """A spec that keeps about `ratio` of each group's channels, in steps of 8."""
    kept = []
    for width in WIDTHS:
        share = min(1.0, max(0.1, ratio + (chance.uniform(-0.15, 0.15) if ratio < 1 else 0.0)))
        count = width if ratio >= 1 else max(8, round(share * width / 8) * 8)
        kept.append(tuple(sorted(chance.sample(range(width), min(width, count)))))
    return ArchSpec("yolov8n-10", GROUPS, WIDTHS, tuple(kept))


def plausible_curves(quality: float) -> Curves:
    """P, R and F1 of a detector: precision climbs with confidence, recall falls."""
    confidence = tuple(index / 100 for index in range(101))
    precision = tuple(min(1.0, 0.15 + quality * (1.3 * c**0.35)) for c in confidence)
    recall = tuple(max(0.0, (0.55 + 0.5 * quality) * (1 - c**3.5)) for c in confidence)
    f1 = tuple(2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True))
    return Curves(confidence, precision, recall, f1)


def plausible_evaluation(split: str, accuracy: float) -> Evaluation:
    """Figures that agree with each other and with the curves."""
    curves = plausible_curves(accuracy)
    best = max(range(101), key=lambda index: curves.f1[index])
    return Evaluation(
        split=split, images=200, map50_95=accuracy, map50=min(1.0, accuracy * 1.45), precision=curves.precision[50],
        recall=curves.recall[50], f1=curves.f1[50], confidence=0.5, iou=0.5, best_f1=curves.f1[best],
        best_f1_confidence=curves.confidence[best], precision_at_best_f1=curves.precision[best],
        recall_at_best_f1=curves.recall[best], ap_per_class=(accuracy,) * 10, curves=curves,
    )  # fmt: skip


def plausible_record(
    name: str,
    number: int | None,
    ratio: float,
    chance: random.Random,
    outcome: Outcome = Outcome.COMPLETE,
    **more: object,
) -> TrialRecord:
    """One record whose accuracy and latency follow its channel ratio, with some luck."""
    luck = chance.gauss(0, 0.02)
    accuracy = max(0.05, 0.62 * (1 - math.exp(-4.2 * ratio)) + luck - (0 if ratio >= 1 else 0.015))
    latency = 3.0 + 15.0 * ratio**1.6 + chance.gauss(0, 0.2)
    half = latency * chance.uniform(0.01, 0.04)
    spec = plausible_spec(ratio, chance)
    trained = outcome in (Outcome.COMPLETE, Outcome.STOPPED)
    epochs = 14 if name == "parent" else (3 if outcome is Outcome.COMPLETE else 1)
    epochs = epochs if trained else 0
    rungs = tuple(
        EpochResult(e, accuracy * (1 - 0.5 * math.exp(-e * 3 / max(1, epochs))), accuracy * 1.3, 4.0 / (e + 1), 6.0)
        for e in range(epochs + 1)
        if trained
    )
    evaluations = (
        (plausible_evaluation("val", accuracy), plausible_evaluation("test", accuracy - 0.01))
        if outcome is Outcome.COMPLETE
        else ()
    )
    latency_taken = outcome is not Outcome.DUPLICATE
    measurements = (
        Measurement("parameters", 3.0e6 * ratio**1.8),
        Measurement("flops_g", 0.19 * ratio**1.7 + 0.01, "GFLOPs"),
        Measurement("size_mib", 5.9 * ratio**1.8 + 0.1, "MiB"),
        Measurement("share_pruned", 1 - min(1.0, ratio**1.8)),
        Measurement(
            "latency_ms", latency, "ms", low=latency - half, high=latency + half, runs=50, ratio=latency / 9,
            target=TARGET, contended=chance.random() < 0.1,
        ),
    )  # fmt: skip
    begun = START + timedelta(minutes=2 * (number if number is not None else -4))
    facts: dict[str, object] = {
        "reason": "", "params": {}, "constraints": {"latency_ms": latency - LIMIT_MS} if number is not None else {},
        "lineage": None, "checkpoint": CHECKPOINT if outcome is Outcome.COMPLETE else None,
        "seconds": {
            "build": 0.4, "latency": 2.1, "training": 6.0 * epochs, "evaluation": 1.8 if evaluations else 0.0,
            "database": 0.12, "other": 0.3,
        },
    }  # fmt: skip
    facts.update(more)
    return TrialRecord(
        number=number, name=name, outcome=outcome, spec=spec, origin=Origin((PARENT,) * 10), identity=f"{name}-id",
        recipe={"epochs": epochs if outcome is Outcome.COMPLETE else 3, "lr0": 0.002}, seed=0,
        measurements=measurements if latency_taken else (),
        evaluations=evaluations, rungs=rungs, started=begun, finished=begun + timedelta(seconds=90), **facts,  # type: ignore[arg-type]
    )  # fmt: skip


def _graft(chance: random.Random) -> dict[str, ParamValue]:
    chosen: dict[str, ParamValue] = {"backbone": chance.choice(DONORS), "head": chance.choice(DONORS)}
    return chosen | {f"ratio.{stage}": chance.choice((0.5, 0.625, 0.75, 0.875, 1.0)) for stage in range(4)}


def plausible_study(trials: int = 20, seed: int = 0, name: str = "nas_head") -> Plausible:
    """A whole study: parent, three donors, a control and trials of every outcome."""
    chance = random.Random(seed)
    records = [
        plausible_record("parent", None, 1.0, chance, seconds={"data": 1.4, "training": 84.0, "latency": 2.0}),
        plausible_record("one-shot", None, 0.7, chance, lineage="parent"),
        plausible_record("round-2", None, 0.56, chance, lineage="one-shot"),
        plausible_record("round-3", None, 0.45, chance, lineage="round-2"),
        plausible_record("uniform-0.5", None, 0.5, chance, lineage="parent"),
    ]
    endings = {
        3: (Outcome.RULED_OUT, "latency_ms is 16.4; the limit is 14"),
        6: (Outcome.STOPPED, "stopped at epoch 1: val loss is above the front at this latency"),
        9: (Outcome.DUPLICATE, "equal to trial 4"),
        11: (Outcome.FAILED, "out of memory in epoch 1 with batch 16"),
    }
    for number in range(trials):
        outcome, reason = endings.get(number % 20, (Outcome.COMPLETE, ""))
        ratio = 0.95 if outcome is Outcome.RULED_OUT else chance.uniform(0.2, 0.85)
        records.append(
            plausible_record(f"trial {number}", number, ratio, chance, outcome, reason=reason, params=_graft(chance))
        )
    study = StudyEntry(
        id=1, name=name, generation=1, objectives=OBJECTIVES, frozen={"parent": CHECKPOINT},
        definition={
            "description": "Backbone and head of pruned donors, joined and cut further.", "data": {"source": "digits"},
            "parent": {"model": "yolov8n.yaml"}, "limits": {"latency_ms": LIMIT_MS}, "n_trials": trials, "seed": seed,
        },
        created=START - timedelta(minutes=30),
    )  # fmt: skip
    return Plausible(study, tuple(records), _fronts(records))


def with_memory(found: Plausible, limit_mib: float = 9.0) -> Plausible:
    """The same study with a third objective, memory, and with mAP75; memory follows the parameters, with some luck."""
    chance = random.Random(1)
    records = [_with_memory(record, chance.uniform(1.0, 5.0)) for record in found.records]
    definition = {**found.study.definition, "limits": {"latency_ms": LIMIT_MS, "memory_mib": limit_mib}}
    study = replace(found.study, objectives=THREE_OBJECTIVES, definition=definition)
    directions = tuple(direction for _, direction in THREE_OBJECTIVES)
    front, fronts, counted = Front(directions), list[FrontEntry](), 0
    for record in records:
        counted += int(not record.is_reference and record.outcome is not Outcome.DUPLICATE)
        values = [record.value(name) for name, _ in THREE_OBJECTIVES]
        known = [value for value in values if value is not None]
        if record.outcome is not Outcome.COMPLETE or not record.feasible or len(known) < len(values):
            continue
        moved, front = front, front.with_point(record.name, known)
        if front is not moved:
            volume = front.hypervolume(WORST)
            fronts.append(FrontEntry(len(fronts) + 1, counted, front.names, volume, WORST, START))
    return Plausible(study, tuple(records), tuple(fronts))


def _with_memory(record: TrialRecord, more_mib: float) -> TrialRecord:
    parameters = record.value("parameters")
    if parameters is None:
        return record
    measured = [*record.measurements, MEMORY_MIB.measurement(4 * parameters / MIB + more_mib)]
    for accuracy in record.evaluations:
        measured.append(MAP75.measurement(0.95 * accuracy.map50_95, split=accuracy.split))
    return replace(record, measurements=tuple(measured))


def store_study(store: Store, plausible: Plausible) -> StudyEntry:
    """Add the study and its records to a store, by the way that a worker takes."""
    given = plausible.study
    study = store.add_study(given.name, given.definition, given.objectives)
    study = store.freeze(study, {"parent": CHECKPOINT, "reference_point": list(WORST[: len(given.objectives)])})
    description = {"runtime": "onnxruntime", "provider": "cpu", "precision": "fp32", "batch": 1}
    store.add_target(TargetEntry(TARGET, description, 9.0))
    worker = WorkerId(host="here", pid=1, started=0.0)
    for record in plausible.records:
        attempt = None
        if record.number is not None:
            attempt = store.reserve(study, worker, limit=10_000)
            assert attempt is not None
            attempt = store.assign(attempt, record.number, record.params)
            store.claim_identity(attempt, record.identity)
            for rung in record.rungs:
                store.report(attempt, rung)
        store.add(study, record, attempt)
    return study


def _fronts(records: list[TrialRecord]) -> tuple[FrontEntry, ...]:
    fronts: list[FrontEntry] = []
    members: list[TrialRecord] = []
    counted = 0
    for record in records:
        counted += int(not record.is_reference and record.outcome is not Outcome.DUPLICATE)
        if record.outcome is not Outcome.COMPLETE or not record.feasible:
            continue
        members = _non_dominated([*members, record])
        names = tuple(member.name for member in members)
        if not fronts or fronts[-1].members != names:
            fronts.append(FrontEntry(len(fronts) + 1, counted, names, _area(members), (0.0, 20.0), START))
    return tuple(fronts)


def _pair(record: TrialRecord) -> tuple[float, float]:
    accuracy, latency = record.value("map50_95"), record.value("latency_ms")
    assert accuracy is not None and latency is not None
    return accuracy, latency


def _non_dominated(records: list[TrialRecord]) -> list[TrialRecord]:
    front: list[TrialRecord] = []
    for record in sorted(records, key=lambda r: (_pair(r)[1], -_pair(r)[0])):
        if not front or _pair(record)[0] > _pair(front[-1])[0]:
            front.append(record)
    return front


def _area(front: list[TrialRecord]) -> float:
    """Hypervolume against mAP 0 and 20 ms, two objectives: a staircase."""
    area, right = 0.0, 20.0
    for record in reversed(front):
        accuracy, latency = _pair(record)
        if latency < right:
            area, right = area + accuracy * (right - latency), latency
    return area
