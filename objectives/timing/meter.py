"""Latency of a candidate: timed in a separate process, in turn with a reference model.

The speed of a machine changes by factors within a day, but the ratio to a reference that is timed in between changes
only by a few per cent. So `latency_ms` is the median ratio times the reference's own time, which is measured once and
then frozen.

For one CPU thread the times are CPU times of the thread, which other work on the machine hardly changes; for more
threads and for GPUs they are wall times. Networks may be exported beside other work, but none of our trainings uses the
device while a network is timed.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from objectives.base import Measurement
from objectives.device.activity import ActivityWatch
from objectives.device.lock import device_lock
from objectives.device.target import Target, TargetError
from objectives.quantities import LATENCY_MS
from objectives.runtimes.catalogue import runtime_named
from objectives.timing.child import ChildDied, TimingChild
from objectives.timing.idle_wait import wait_at_most
from objectives.timing.protocol import WAIT_S, MeasuringBudget
from objectives.timing.race import Race
from objectives.timing.session_spread import USUAL_SPREAD, SessionSpread
from objectives.timing.timings import Timings
from spaces.base import Candidate, CandidateError

if TYPE_CHECKING:
    from objectives.data.calibration import Calibration

TRIES = 3
LONGEST = 5
"""Multiple of the time of silence that the measurement of one network may take."""
CPU_IDLE_CHECK_S = 0.25
GPU_IDLE_CHECK_S = 2.0
"""Seconds of a check whether the device is idle; a GPU's driver lists the busy processes once a second."""
USUAL_BUDGET = MeasuringBudget()
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGBUS, signal.SIGFPE)


class Latency(NamedTuple):
    """Latency, and the raw times from which it was computed.

    `samples_ms` has one value for each block that counts: ratio x reference, in ms. The latency is their median.
    """

    measurement: Measurement
    samples_ms: tuple[float, ...]
    timings: Timings


class LatencyMeter:
    """Measures latencies of candidates on one target, in one child process that lives as long as the `with` block.

    The child imports neither torch nor Ultralytics. It starts with the first measurement, and again if it dies.

    Attributes:
        target: The given target, completed by the reference: frozen times and stored latencies are under its key.

    Args:
        reference: Reference model, timed at the target's image size; see `objectives.timing.reference`. Or an exported
            file of it; the target must then name the reference already.
        scratch: Folder for exported files (default: the system's own), which are deleted afterwards.
        timeout_s: Seconds after which a silent child counts as hung; it sends a message before each loading. A whole
            measurement may take `LONGEST` times as long.
        tries: Number of times that a network may crash or hang the child before it is given up.
        budget: Budget for timing one network.
        calibration: Calibration images of an int8 target.

    Raises:
        TargetError: If the runtime cannot run here, or the user's limit to waiting (`IDLE_WAIT`) is no number.
    """

    def __init__(
        self,
        target: Target,
        reference: Candidate | Path,
        *,
        scratch: Path | None = None,
        timeout_s: float = 120.0,
        tries: int = TRIES,
        budget: MeasuringBudget = USUAL_BUDGET,
        calibration: Calibration | None = None,
    ) -> None:
        self.target = target if isinstance(reference, Path) else target.compared_with(reference)
        self._reference = reference if isinstance(reference, Path) else replace(reference, imgsz=target.imgsz)
        self._runtime = runtime_named(target.runtime)
        self._calibration = calibration
        if missing := self._runtime.unavailable(target.provider, target.precision):
            raise TargetError(f"target: {target.runtime} cannot run here: {missing}")
        wait_at_most(WAIT_S)  # what the child would refuse is refused here
        self._scratch = scratch
        self._timeout_s, self._tries = timeout_s, tries
        self._budget = budget
        self._folder: Path | None = None
        self._child: TimingChild | None = None

    def __enter__(self) -> LatencyMeter:
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="latency-", dir=self._scratch))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_child()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    @property
    def process_id(self) -> int | None:
        """Process number of the child while it lives."""
        return None if self._child is None else self._child.process.pid

    def device_is_idle(self) -> bool:
        """Return whether no other process uses the device for a moment; our own trainings wait meanwhile."""
        with device_lock(self._device).measuring():
            watch = ActivityWatch(self._device)
            time.sleep(CPU_IDLE_CHECK_S if self.target.runs_on_cpu else GPU_IDLE_CHECK_S)
            return not watch.seen().contended

    def reference_timings(self) -> Timings:
        """Time the reference alone. Its `reference_ms` is frozen once, when the device is idle."""
        return Timings.from_plain(self._ask({"network": None}, None))

    def reference_ms(self) -> float:
        """Time of the reference now, in ms: the median of runs in a row, as everybody reports it."""
        return self.reference_timings().reference_ms(self.target.clock).median

    def measure(self, candidate: Candidate, reference_ms: float, limit_ms: float | None = None) -> Latency:
        """Measure `latency_ms` of the deployed network at its own image size.

        Args:
            candidate: Not modified.
            reference_ms: The frozen time of the reference on this target.
            limit_ms: What is too slow: a network that is far beyond it is measured in a second, and less precisely.

        Raises:
            CandidateError: If the network does not export, load or run, or crashes or hangs the engine each time.
            RuntimeError: If the timing process was killed three times in a row.
        """
        limit = None if limit_ms is None else limit_ms / reference_ms
        return latency_of(self.time(candidate, limit), self.target, reference_ms)

    def time(self, candidate: Candidate, limit: float | None = None) -> Timings:
        """Return all raw times, by both clocks, of the candidate and the reference. Raises as `measure` does.

        Args:
            limit: The ratio that is too slow, if one is.
        """
        with self.exported(candidate) as file:
            return self.time_file(file, limit)

    @contextmanager
    def exported(self, candidate: Candidate) -> Iterator[Path]:
        """Export the candidate as the runtime's file, which is deleted after the block. Raises as `measure` does."""
        with tempfile.TemporaryDirectory(dir=self._open_folder()) as folder:
            yield self._export(candidate, Path(folder))

    def time_file(self, file: Path, limit: float | None = None) -> Timings:
        """Time a file that the runtime loads, as `time` does: ONNX with static shapes for onnxruntime and OpenVINO."""
        request = {"network": str(file.resolve()), "budget": asdict(replace(self._budget, limit=limit))}
        return Timings.from_plain(self._ask(request, file))

    def race(self, files: Sequence[Path], *, cpu_budget_s: float, seed: int) -> Race:
        """Time exported networks in turn with each other and the reference until their order is known.

        Args:
            files: Files from `exported`; the race numbers the networks in this order.
            cpu_budget_s: CPU time for all networks together.
            seed: Seed of the order in which they run.

        Raises:
            CandidateError: If a network does not load or run, or crashes the engine each time.
        """
        networks = [str(file.resolve()) for file in files]
        request = {"race": networks, "cpu_budget_s": cpu_budget_s, "seed": seed}
        return Race.from_plain(self._ask(request, files[0]))

    @property
    def _device(self) -> str:
        return self._runtime.device_name(self.target.provider)

    def _ask(self, request: dict[str, Any], network: Path | None) -> dict[str, Any]:
        status, how = None, ""
        longest_s = LONGEST * self._timeout_s * len(request.get("race", [network]))
        for _ in range(self._tries):
            try:
                child = self._ready_child()
                with device_lock(self._device).measuring() as hold:
                    answer = child.ask(request, self._timeout_s, longest_s, hold.renew)
                    disturbances = hold.disturbances()
            except ChildDied as death:
                status, how = death.status, death.how
                self._stop_child()
                continue
            except BaseException:  # interrupted before the answer: the next request would get the answer of this one
                self._stop_child()
                raise
            if "error" in answer:
                raise CandidateError(answer["error"]) if network else RuntimeError(answer["error"])
            if disturbances:
                answer["circumstances"]["passed_over"] = list(disturbances)
            return answer
        if status is not None and -status in CRASHES:
            name = signal.Signals(-status).name
            raise CandidateError(f"{self.target.runtime} crashed on the network ({name}){self._times}")
        if status is None and network is not None:  # else the same trial would end each later run
            raise CandidateError(f"{self.target.runtime} {how}{self._times}")
        raise self._reference_fault(f"the timing process {how}{self._times}; is memory short on this machine?")

    @property
    def _times(self) -> str:
        return f", {self._tries} times in a row" if self._tries > 1 else ""

    def _reference_fault(self, message: str) -> Exception:
        """Return the error of a reference that cannot be timed: the fault of a file that was given, else of ours."""
        return CandidateError(message) if isinstance(self._reference, Path) else RuntimeError(message)

    def _export(self, candidate: Candidate, folder: Path) -> Path:
        return self._runtime.export(candidate, folder, self.target, self._calibration)

    def _open_folder(self) -> Path:
        if self._folder is None:
            raise RuntimeError("a LatencyMeter is used in a with block")
        return self._folder

    def _ready_child(self) -> TimingChild:
        """Return the child process, with the reference loaded."""
        if self._child is None:
            # The folder is deleted soon, so that a kill hardly ever leaves it behind.
            with tempfile.TemporaryDirectory(dir=self._open_folder()) as folder:
                try:
                    own = self._reference
                    model = own if isinstance(own, Path) else self._export(own, Path(folder))
                except CandidateError as error:  # the reference is not a candidate's fault
                    raise self._reference_fault(f"the reference model cannot be timed: {error}") from error
                self._child = TimingChild(self.target)
                answer = self._child.ask({"reference": str(model.resolve())}, self._timeout_s)
            if "error" in answer:
                raise self._reference_fault(f"the reference model cannot be timed: {answer['error']}")
        return self._child

    def _stop_child(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


def latency_of(timings: Timings, target: Target, reference_ms: float, spread: SessionSpread = USUAL_SPREAD) -> Latency:
    """Compute `latency_ms` from raw times: the median ratio x the frozen time of the reference.

    Args:
        spread: Spread between sessions, which the 95 % interval contains.
    """
    ratio = spread.across_sessions(timings.ratio(target.clock), reference_ms)
    measurement = LATENCY_MS.measurement(
        ratio.median * reference_ms,
        low=ratio.low * reference_ms,
        high=ratio.high * reference_ms,
        runs=timings.runs,
        ratio=ratio.median,
        target=target.key,
        contended=timings.contended(target.clock),
    )
    samples_ms = np.concatenate(timings.kept(target.clock)) * reference_ms
    return Latency(measurement, tuple(samples_ms.tolist()), timings)
