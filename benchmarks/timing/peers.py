"""How others measure latency: the peers of the benchmark, as their authors do it, one thread where one may choose.

All load the network anew, warm up, and report one figure in ms of wall time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.runtimes.base import timing_images
from objectives.runtimes.ort import PROVIDERS

WARM_UPS = 5
TRTEXEC_WARM_UP_S, TRTEXEC_S, TRTEXEC_RUNS = 0.2, 3.0, 10
MLPERF_RUNS, MLPERF_PERCENTILE = 64, 90
PRUNING_WARM_UPS, PRUNING_RUNS = 50, 300


@dataclass(frozen=True)
class Subject:
    """What a peer measures.

    Attributes:
        file: The exported network, ONNX.
        network: The same as a torch module, for the peer that measures in torch.
        imgsz: Image size in px.
        provider: Of onnxruntime.
        ultralytics_s: Least time of Ultralytics' benchmark, which has 60 s by default.
        ultralytics_runs: Least runs of it, which are 100 by default.
        pruning_runs: Runs of torch-pruning's benchmark, which has 300 by default after 50 to warm up.
    """

    file: Path
    network: Callable[[], Any]
    imgsz: int
    provider: str = "cpu"
    ultralytics_s: float = 1.0
    ultralytics_runs: int = 100
    pruning_runs: int = PRUNING_RUNS


def median_of_50(subject: Subject) -> float:
    """The median of 50 runs after a few to warm up: what most scripts do."""
    run = _session(subject)
    for _ in range(WARM_UPS):
        run()
    return float(np.median([_ms(run) for _ in range(50)]))


def mean_of_3_s(subject: Subject) -> float:
    """The mean over 3 s, after 0.2 s to warm up. Source: trtexec's defaults (--warmUp=200 --duration=3)."""
    run = _session(subject)
    until = time.perf_counter() + TRTEXEC_WARM_UP_S
    while time.perf_counter() < until:
        run()
    times: list[float] = []
    until = time.perf_counter() + TRTEXEC_S
    while time.perf_counter() < until or len(times) < TRTEXEC_RUNS:
        times.append(_ms(run))
    return float(np.mean(times))


def p90_of_64(subject: Subject) -> float:
    """The 90th percentile of 64 runs. Source: MLPerf Inference, single stream: the least that early stopping allows."""
    run = _session(subject)
    for _ in range(WARM_UPS):
        run()
    return float(np.percentile([_ms(run) for _ in range(MLPERF_RUNS)], MLPERF_PERCENTILE))


def ultralytics(subject: Subject) -> float:
    """Ultralytics' own code, called with a file: 8 threads, 30 runs to warm up, the mean clipped at 2 sigma."""
    import torch

    from ultralytics.utils import LOGGER
    from ultralytics.utils.benchmarks import ProfileModels

    level, threads = LOGGER.level, torch.get_num_threads()
    LOGGER.setLevel("ERROR")
    try:
        profiler = ProfileModels(
            [str(subject.file)],
            num_timed_runs=subject.ultralytics_runs,
            min_time=subject.ultralytics_s,
            imgsz=subject.imgsz,
            trt=False,
            device="cpu",
        )
        with redirect_stderr(StringIO()):
            mean_ms, _ = profiler.profile_onnx_model(str(subject.file))
    finally:
        LOGGER.setLevel(level)
        torch.set_num_threads(threads)
    return float(mean_ms)


def torch_pruning(subject: Subject) -> float:
    """The mean of runs in torch eager, as `torch_pruning.utils.benchmark.measure_latency` takes it.

    That function itself times with CUDA events. Without a GPU it raises, so its loop is repeated here with
    `time.perf_counter`; with one it is called.
    """
    import torch

    device = "cpu" if subject.provider == "cpu" else "cuda"
    network = subject.network().eval().to(device)
    images = torch.from_numpy(timing_images((1, 3, subject.imgsz, subject.imgsz))).to(device)
    warm_ups = max(1, round(PRUNING_WARM_UPS * subject.pruning_runs / PRUNING_RUNS))
    with torch.no_grad():
        if device == "cuda":
            from torch_pruning.utils.benchmark import measure_latency

            return float(measure_latency(network, images, repeat=subject.pruning_runs, warmup=warm_ups)[0])
        for _ in range(warm_ups):
            network(images)
        return float(np.mean([_ms(lambda: network(images)) for _ in range(subject.pruning_runs)]))


Peer = Callable[[Subject], float]

ULTRALYTICS = "Ultralytics' benchmark"

PEERS: dict[str, Peer] = {
    "median of 50": median_of_50,
    "p90 of 64 (MLPerf single stream)": p90_of_64,
    "mean of 3 s (trtexec)": mean_of_3_s,
    ULTRALYTICS: ultralytics,
    "torch-pruning's (torch eager)": torch_pruning,
}
QUICK_ONES = tuple(PEERS)[:2]
"""Those that take less than a second: they measure every network, the others two."""


def _ms(run: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begun)


def _session(subject: Subject) -> Callable[[], Any]:
    """One thread, and everything else as onnxruntime has it by default."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(subject.file), options, providers=[PROVIDERS[subject.provider]])
    images = {session.get_inputs()[0].name: timing_images(session.get_inputs()[0].shape)}
    return lambda: session.run(None, images)
