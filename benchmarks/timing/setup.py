"""What the parts of the benchmark of latency share: how much is measured, on what, and where results are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.setup.results import ResultsFile
from benchmarks.timing.networks import Rung, described, exported, ladder, parent_of, rungs_from
from objectives.device.target import Target
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from objectives.timing.timings import Timings
from spaces.base import Candidate

FAMILIES = ("yolov8n.yaml", "yolo11n.yaml")


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        rungs: Networks of each ladder.
        spread_networks: Of the first ladder, those that every way measures.
        repeats: Of every way to measure, on those networks, in each condition.
        rounds: Of those, in how many all networks are measured, by the ways that are quick.
        races: Of each ladder, in each condition.
        scripted: Measurements on a scripted clock.
        cost_candidates: At each image size.
        informed, tested: Networks that the prediction is fitted on, and those that it is judged by.
        foreign_rounds: Of each network alone and beside foreign trainings.
        ultralytics_s, ultralytics_runs: Least time and runs of Ultralytics' benchmark.
        pruning_runs: Of torch-pruning's.
    """

    rungs: int = 5
    spread_networks: int = 2
    repeats: int = 12
    rounds: int = 8
    races: int = 9
    scripted: int = 2000
    cost_candidates: int = 6
    informed: int = 16
    tested: int = 64
    foreign_rounds: int = 6
    ultralytics_s: float = 0.5
    ultralytics_runs: int = 30
    pruning_runs: int = 60


FULL = Size()
QUICK = Size(
    rungs=3, repeats=2, rounds=1, races=1, scripted=200, cost_candidates=1, informed=16, tested=4,
    foreign_rounds=1, ultralytics_s=0.1, ultralytics_runs=10, pruning_runs=10,
)  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """One run of the benchmark: one target, one folder."""

    size: Size
    target: Target
    out: Path

    @property
    def results(self) -> ResultsFile:
        """What is finished."""
        return ResultsFile(self.out / "results.jsonl")

    @cached_property
    def ladders(self) -> list[list[Rung]]:
        """A ladder of each family, found once. Only on an idle machine is it right: run this first."""
        return [self._ladder(number, family) for number, family in enumerate(FAMILIES)]

    def _ladder(self, number: int, family: str) -> list[Rung]:
        def found() -> dict[str, Any]:
            return {"rungs": described(ladder(family, self.size.rungs, self.target, self.networks, seed=number))}

        rungs = rungs_from(self.results.get_or_run(f"ladder {family}", found)["rungs"])
        for place, rung in enumerate(rungs):
            exported(self.candidate(rung), self.file(rung, place))
        return rungs

    @property
    def networks(self) -> Path:
        """Folder of exported files."""
        return self.out / "networks"

    def file(self, rung: Rung, place: int) -> Path:
        """The exported file of a rung."""
        return self.networks / f"{rung.name(place)}.onnx"

    def candidate(self, rung: Rung) -> Candidate:
        """The rung as a network."""
        parent = parent_of(rung.family, self.target.imgsz)
        return parent.build(parent.spec(rung.widths))

    @contextmanager
    def meter(self, family: str, target: Target | None = None) -> Iterator[LatencyMeter]:
        """The search's meter, as a study of that family has it."""
        target = target or self.target
        reference = reference_candidate(parent_of(family, target.imgsz))
        with LatencyMeter(target, reference, scratch=self.out / "scratch") as meter:
            yield meter

    @contextmanager
    def meters(self, families: Sequence[str] = FAMILIES) -> Iterator[dict[str, LatencyMeter]]:
        """One meter for each family; their processes wait while they do not measure."""
        with ExitStack() as opened:
            yield {family: opened.enter_context(self.meter(family)) for family in families}

    def kept(self, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What that work gave; done now unless it was before."""
        return self.results.get_or_run(key, work)


def told(timings: Timings, clock: str) -> dict[str, Any]:
    """A measurement of ours, as it is kept."""
    ratio = timings.ratio(clock)
    return {
        "ratio": ratio.median,
        "low": ratio.low,
        "high": ratio.high,
        "loadings": len(timings.loadings),
        "blocks": sum(len(loading.network) for loading in timings.loadings),
        "runs": timings.runs,
        "cpu_s": timings.cpu_seconds,
        "others_busy": timings.circumstances.others_busy,
    }
