"""`python -m tests.objectives.runtimes.thread_probe MODEL TARGET ...`: CPU time of threads during runs and after."""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

from objectives.device.target import Target
from objectives.runtimes.catalogue import runtime_named

RUNS = 20
IDLE_S = 0.05


def probe(model: str, target: Target) -> dict[str, float]:
    """Return CPU seconds of the caller and of other threads during runs, and the share of a core when idle."""
    run = runtime_named(target.runtime).load(Path(model), target)
    run()
    caller, everyone = time.thread_time(), time.process_time()
    for _ in range(RUNS):
        run()
    caller, everyone = time.thread_time() - caller, time.process_time() - everyone
    idle = []
    for _ in range(5):
        run()
        before = time.process_time()
        select.select([], [], [], IDLE_S)  # measures the CPU time of doing nothing
        idle.append((time.process_time() - before) / IDLE_S)
    return {"caller_s": caller, "others_s": everyone - caller, "idle": sorted(idle)[2]}


if __name__ == "__main__":
    pairs = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    seen = [probe(model, Target(**json.loads(target))) for model, target in pairs]
    print(json.dumps({"seen": seen, "heavy": [name for name in ("torch", "ultralytics") if name in sys.modules]}))
