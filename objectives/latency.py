"""Latency of a candidate: timed in a process of its own, in turn with a reference model.

A machine's absolute level drifts by factors within a day, the ratio to a reference timed in between by a few per cent.
So `latency_ms` is the median ratio times the reference's own time, which is measured once and then frozen.

For one CPU thread the times are thread-CPU times, which other work on the machine hardly moves; for more threads and
for GPUs they are wall times.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import objectives
from objectives.base import Measurement
from objectives.runtimes.catalogue import runtime_named
from objectives.target import Target, TargetError
from objectives.timings import Timings
from spaces.base import Candidate, CandidateError

if TYPE_CHECKING:
    from objectives.calibration import Calibration

CPU_BUDGET_S = 1.0
WIDTH = 0.03  # of the 95 % interval, as a share of the ratio: then enough has been seen
TRIES = 3
COMMAND = (sys.executable, "-P", "-m", "objectives.latency_process")
CONTENDED_CORES = 0.25  # other work that keeps more cores busy than this is named in the measurement
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGBUS, signal.SIGFPE)


class Latency(NamedTuple):
    """A latency and what it was derived from.

    `samples_ms` holds one value a block: ratio x reference, in ms; the median of them is the measurement's value.
    """

    measurement: Measurement
    samples_ms: tuple[float, ...]


class _Died(Exception):
    """The timing process ended or hung before it answered."""

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status  # as in `subprocess.Popen.returncode`; None if it hung


class LatencyMeter:
    """Times candidates on one target, in one child process that lives as long as the `with` block.

    The child has neither torch nor Ultralytics; it starts with the first measurement and again when it dies.

    Attributes:
        target: The target given, with the reference named in it: frozen times and stored latencies go under its key.

    Args:
        reference: The model that everything is compared with, at the target's image size; see
            `objectives.reference`.
        scratch: Folder for exported files (default: the system's own); it is left as it was found.
        timeout_s: A child that has not answered by then hangs.
        cpu_budget_s: CPU time for one network; it takes less where the interval is narrow before that.
        calibration: The images that an int8 target names.

    Raises:
        TargetError: If the runtime cannot run here.
    """

    def __init__(
        self,
        target: Target,
        reference: Candidate,
        *,
        scratch: Path | None = None,
        timeout_s: float = 120.0,
        cpu_budget_s: float = CPU_BUDGET_S,
        calibration: Calibration | None = None,
    ) -> None:
        self.target = target.compared_with(reference)
        self._reference = replace(reference, imgsz=target.imgsz)
        self._runtime = runtime_named(target.runtime)
        self._calibration = calibration
        if missing := self._runtime.unavailable(target.provider, target.precision):
            raise TargetError(f"target: {target.runtime} cannot run here: {missing}")
        self._scratch = scratch
        self._timeout_s = timeout_s
        self._cpu_budget_s = cpu_budget_s
        self._folder: Path | None = None
        self._child: _Child | None = None

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
        """The child's process number while it lives."""
        return None if self._child is None else self._child.process.pid

    def reference_ms(self) -> float:
        """Time of the reference now, in ms. Measure once, keep it, and pass it to `measure` ever after."""
        timings = self._time(None)
        return timings.reference_ms(self.target.clock).median

    def measure(self, candidate: Candidate, reference_ms: float) -> Latency:
        """Measure `latency_ms` of the deployed network at its own image size.

        Args:
            candidate: Not modified.
            reference_ms: The frozen time of the reference on this target.

        Raises:
            CandidateError: If the network does not export, load or run, or crashes the engine each time.
            RuntimeError: If the timing process was killed or hung three times in a row.
        """
        timings = self.time(candidate)
        clock = self.target.clock
        ratio = timings.ratio(clock)
        measurement = Measurement(
            "latency_ms",
            ratio.median * reference_ms,
            unit="ms",
            low=ratio.low * reference_ms,
            high=ratio.high * reference_ms,
            runs=timings.runs,
            ratio=ratio.median,
            target=self.target.key,
            contended=None if timings.others_busy is None else timings.others_busy > CONTENDED_CORES,
        )
        return Latency(measurement, tuple((timings.ratios(clock) * reference_ms).tolist()))

    def time(self, candidate: Candidate) -> Timings:
        """All raw times, by both clocks, of the candidate and the reference. Raises as `measure` does."""
        with tempfile.TemporaryDirectory(dir=self._open_folder()) as folder:
            return self._time(self._export(candidate, Path(folder)))

    def _time(self, network: Path | None) -> Timings:
        request = {
            "network": None if network is None else str(network.resolve()),
            "cpu_budget_s": self._cpu_budget_s,
            "width": WIDTH,
        }
        status: int | None = None
        for _ in range(TRIES):
            try:
                answer = self._ready_child().ask(request, self._timeout_s)
            except _Died as death:
                status = death.status
                self._stop_child()
                continue
            except BaseException:  # interrupted while it answers: the next answer would be that of this request
                self._stop_child()
                raise
            if "error" in answer:
                raise CandidateError(answer["error"]) if network else RuntimeError(answer["error"])
            return Timings.from_plain(answer)
        if status is not None and -status in CRASHES:
            raise CandidateError(f"{self.target.runtime} crashes on the network ({signal.Signals(-status).name})")
        how = f"did not answer within {self._timeout_s:g} s" if status is None else f"ended with status {status}"
        raise RuntimeError(f"the timing process {how}, {TRIES} times in a row; is memory short on this machine?")

    def _export(self, candidate: Candidate, folder: Path) -> Path:
        return self._runtime.export(candidate, folder, self.target, self._calibration)

    def _open_folder(self) -> Path:
        if self._folder is None:
            raise RuntimeError("a LatencyMeter is used in a with block")
        return self._folder

    def _ready_child(self) -> _Child:
        """The child, with the reference loaded."""
        if self._child is None:
            with tempfile.TemporaryDirectory(dir=self._open_folder()) as folder:  # gone before a kill can leave it
                try:
                    model = self._export(self._reference, Path(folder))
                except CandidateError as error:  # no candidate is to blame for the reference
                    raise RuntimeError(f"the reference model cannot be timed: {error}") from error
                self._child = _Child(self.target)
                answer = self._child.ask({"reference": str(model.resolve())}, self._timeout_s)
            if "error" in answer:
                raise RuntimeError(f"the reference model cannot be timed: {answer['error']}")
        return self._child

    def _stop_child(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


class _Child:
    """The timing process and the socket to it."""

    def __init__(self, target: Target) -> None:
        ours, theirs = socket.socketpair()
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by stop)
        with theirs:
            self.process = subprocess.Popen(
                [*COMMAND, str(theirs.fileno()), str(os.getpid()), json.dumps(target.description())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                env=os.environ | {"PYTHONPATH": _import_path()},
            )
        self.connection = Connection(ours.detach())

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        try:
            self.connection.send_bytes(json.dumps(request).encode())
            if not self.connection.poll(timeout_s):
                raise _Died(None)
            answer: dict[str, Any] = json.loads(self.connection.recv_bytes())
            return answer
        except (EOFError, ConnectionError) as error:
            status = self.process.wait()
            if status > 0:  # an exception of Python: a fault of ours, which a new start does not mend
                raise RuntimeError(f"the timing process failed: {self._last_error()}") from error
            raise _Died(status) from error

    def stop(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()
        self.errors.close()

    def _last_error(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it left no message"


def _import_path() -> str:
    """Where this package lies, before what the environment names."""
    root = str(Path(objectives.__path__[0]).resolve().parent)
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
