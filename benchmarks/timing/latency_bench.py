"""One run of the benchmark of latency, which all its parts share: its size, its target, its folder of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.setup.results import ResultsFile
from benchmarks.timing.ladder import LadderNetwork, ladder_as_plain, ladder_from_plain, make_ladder
from benchmarks.timing.networks import export_once, random_parent
from objectives.device.target import Target
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from objectives.timing.timings import Timings
from spaces.base import Candidate

FAMILIES = ("yolov8n.yaml", "yolo11n.yaml")


@dataclass(frozen=True)
class BenchSize:
    """Numbers of networks and measurements.

    Attributes:
        ladder_networks: Networks of each ladder.
        spread_networks: Networks of the first ladder that every method measures.
        repeats: Repeats of every method, on those networks, in each condition.
        rounds: Number of these repeats in which the fast methods measure all networks.
        races: Races of each ladder in each condition.
        simulated: Measurements on the simulated clock.
        cost_candidates: Candidates at each image size.
        fitted: Networks that the latency predictor is fitted to.
        tested: Other networks, which its error is measured on.
        foreign_rounds: Measurements of each network alone and beside trainings.
        ultralytics_s: Minimum time of Ultralytics' benchmark in seconds.
        ultralytics_runs: Minimum runs of Ultralytics' benchmark.
        pruning_runs: Runs of torch-pruning's benchmark.
    """

    ladder_networks: int = 5
    spread_networks: int = 2
    repeats: int = 12
    rounds: int = 8
    races: int = 9
    simulated: int = 2000
    cost_candidates: int = 6
    fitted: int = 16
    tested: int = 64
    foreign_rounds: int = 6
    ultralytics_s: float = 0.5
    ultralytics_runs: int = 30
    pruning_runs: int = 60


FULL_SIZE = BenchSize()
QUICK_SIZE = BenchSize(
    ladder_networks=3, repeats=2, rounds=1, races=1, simulated=200, cost_candidates=1, fitted=16, tested=4,
    foreign_rounds=1, ultralytics_s=0.1, ultralytics_runs=10, pruning_runs=10,
)  # fmt: skip


@dataclass(frozen=True)
class LatencyBench:
    """One run of the benchmark.

    Attributes:
        cores: Number of CPU cores of this machine: as many trainings keep all of them busy.
        out: Folder of its results.
    """

    size: BenchSize
    target: Target
    cores: int
    out: Path

    @property
    def results(self) -> ResultsFile:
        """The finished measurements."""
        return ResultsFile(self.out / "results.jsonl")

    def get_or_measure(self, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the stored result of this key; if there is none, measure it and store it."""
        return self.results.get_or_run(key, work)

    @property
    def torch_device(self) -> str:
        """The device of the trainings that make the load."""
        return "cpu" if self.target.provider == "cpu" else "cuda"

    @cached_property
    def ladders(self) -> list[list[LadderNetwork]]:
        """A ladder of each family. It is found once, and must be found while the machine is idle."""
        return [self._ladder(number, family) for number, family in enumerate(FAMILIES)]

    def _ladder(self, number: int, family: str) -> list[LadderNetwork]:
        def find() -> dict[str, Any]:
            found = make_ladder(family, self.size.ladder_networks, self.target, self.networks, seed=number)
            return {"rungs": ladder_as_plain(found)}

        ladder = ladder_from_plain(self.get_or_measure(f"ladder {family}", find)["rungs"])
        for place, network in enumerate(ladder):
            export_once(self.candidate(network), self.file(network, place))
        return ladder

    @property
    def networks(self) -> Path:
        """The folder of exported files."""
        return self.out / "networks"

    def file(self, network: LadderNetwork, place: int) -> Path:
        """Return the exported file of a ladder's network."""
        return self.networks / f"{network.name(place)}.onnx"

    def candidate(self, network: LadderNetwork) -> Candidate:
        """Build a ladder's network."""
        parent = random_parent(network.family, self.target.imgsz)
        return parent.build(parent.spec(network.widths))

    @contextmanager
    def meter(self, family: str, target: Target | None = None) -> Iterator[LatencyMeter]:
        """Open the meter that a study of this family has."""
        target = target or self.target
        reference = reference_candidate(random_parent(family, target.imgsz))
        with LatencyMeter(target, reference, scratch=self.out / "scratch") as meter:
            yield meter

    @contextmanager
    def meters(self, families: Sequence[str] = FAMILIES) -> Iterator[dict[str, LatencyMeter]]:
        """Open one meter for each family; a meter's process sleeps while it does not measure."""
        with ExitStack() as opened:
            yield {family: opened.enter_context(self.meter(family)) for family in families}


def timing_figures(timings: Timings, clock: str) -> dict[str, Any]:
    """Return the figures of one measurement of ours, as results store them."""
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
