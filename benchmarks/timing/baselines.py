"""Baselines of the benchmark of latency: how other tools measure it, with one thread where that can be chosen.

Each of them loads the network again, warms up, and returns one figure in ms of wall time.
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
from objectives.runtimes.ort import ORT_PROVIDERS

WARM_UPS = 5
TRTEXEC_WARM_UP_S, TRTEXEC_S, TRTEXEC_RUNS = 0.2, 3.0, 10
MLPERF_RUNS, MLPERF_PERCENTILE = 64, 90
PRUNING_WARM_UPS, PRUNING_RUNS = 50, 300
ULTRALYTICS_DEFAULT_S, ULTRALYTICS_DEFAULT_RUNS = 60, 100


@dataclass(frozen=True)
class MeasuredNetwork:
    """A network for the baselines, and how long they measure it.

    Attributes:
        file: The exported network, ONNX.
        network: Makes the same network as a torch module, for the baseline that measures in torch.
        imgsz: Image size in px.
        provider: Provider of onnxruntime.
        ultralytics_s: Minimum time of Ultralytics' benchmark in seconds; its default is 60.
        ultralytics_runs: Minimum runs of Ultralytics' benchmark; its default is 100.
        pruning_runs: Runs of torch-pruning's benchmark; its default is 300, after 50 to warm up.
    """

    file: Path
    network: Callable[[], Any]
    imgsz: int
    provider: str = "cpu"
    ultralytics_s: float = 1.0
    ultralytics_runs: int = 100
    pruning_runs: int = PRUNING_RUNS


def median_of_50(network: MeasuredNetwork) -> float:
    """Return the median of 50 runs after a few to warm up: what most scripts do."""
    run = _open_session(network)
    for _ in range(WARM_UPS):
        run()
    return float(np.median([_ms(run) for _ in range(50)]))


def mean_of_3_s(network: MeasuredNetwork) -> float:
    """Return the mean over 3 s, after 0.2 s to warm up. Source: trtexec's defaults (--warmUp=200 --duration=3)."""
    run = _open_session(network)
    until = time.perf_counter() + TRTEXEC_WARM_UP_S
    while time.perf_counter() < until:
        run()
    times: list[float] = []
    until = time.perf_counter() + TRTEXEC_S
    while time.perf_counter() < until or len(times) < TRTEXEC_RUNS:
        times.append(_ms(run))
    return float(np.mean(times))


def p90_of_64(network: MeasuredNetwork) -> float:
    """Return the 90th percentile of 64 runs.

    Source: MLPerf Inference, single stream: the minimum that its early stopping allows.
    """
    run = _open_session(network)
    for _ in range(WARM_UPS):
        run()
    return float(np.percentile([_ms(run) for _ in range(MLPERF_RUNS)], MLPERF_PERCENTILE))


def ultralytics_profiler(network: MeasuredNetwork) -> float:
    """Call Ultralytics' own code with a file: 8 threads, 30 runs to warm up, the mean clipped at 2 sigma."""
    import torch

    from ultralytics.utils import LOGGER
    from ultralytics.utils.benchmarks import ProfileModels

    level, threads = LOGGER.level, torch.get_num_threads()
    LOGGER.setLevel("ERROR")
    try:
        profiler = ProfileModels(
            [str(network.file)],
            num_timed_runs=network.ultralytics_runs,
            min_time=network.ultralytics_s,
            imgsz=network.imgsz,
            trt=False,
            device="cpu",
        )
        with redirect_stderr(StringIO()):
            mean_ms, _ = profiler.profile_onnx_model(str(network.file))
    finally:
        LOGGER.setLevel(level)
        torch.set_num_threads(threads)
    return float(mean_ms)


def torch_pruning_loop(network: MeasuredNetwork) -> float:
    """Return the mean of runs in torch eager, as `torch_pruning.utils.benchmark.measure_latency` does.

    That function times with CUDA events. It is called if there is a GPU. Without a GPU it raises an error, so its loop
    is repeated here with `time.perf_counter`.
    """
    import torch

    device = "cpu" if network.provider == "cpu" else "cuda"
    module = network.network().eval().to(device)
    images = torch.from_numpy(timing_images((1, 3, network.imgsz, network.imgsz))).to(device)
    warm_ups = max(1, round(PRUNING_WARM_UPS * network.pruning_runs / PRUNING_RUNS))
    with torch.no_grad():
        if device == "cuda":
            from torch_pruning.utils.benchmark import measure_latency

            return float(measure_latency(module, images, repeat=network.pruning_runs, warmup=warm_ups)[0])
        for _ in range(warm_ups):
            module(images)
        return float(np.mean([_ms(lambda: module(images)) for _ in range(network.pruning_runs)]))


Baseline = Callable[[MeasuredNetwork], float]

ULTRALYTICS = "Ultralytics' benchmark"

BASELINES: dict[str, Baseline] = {
    "median of 50": median_of_50,
    "p90 of 64 (MLPerf single stream)": p90_of_64,
    "mean of 3 s (trtexec)": mean_of_3_s,
    ULTRALYTICS: ultralytics_profiler,
    "torch-pruning's (torch eager)": torch_pruning_loop,
}
FAST_BASELINES = tuple(BASELINES)[:2]
"""Baselines that take less than a second: they measure every network, the others only two."""


def _ms(run: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begun)


def _open_session(network: MeasuredNetwork) -> Callable[[], Any]:
    """Open a session with one thread and otherwise the defaults of onnxruntime; return a function that runs it once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(network.file), options, providers=[ORT_PROVIDERS[network.provider]])
    images = {session.get_inputs()[0].name: timing_images(session.get_inputs()[0].shape)}
    return lambda: session.run(None, images)
