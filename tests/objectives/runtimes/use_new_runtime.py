"""Program for a copy of the project with another runtime: measures with it, and collects its names."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from objectives.device.lock_files import FOLDER as LOCKS
from objectives.runtimes.catalogue import RUNTIMES, runtime_named, target_here
from objectives.runtimes.names import name_of, target_named
from objectives.timing.meter import LatencyMeter
from objectives.timing.plain_block import plain_block
from search.study.sections import TargetSection
from search.targets import main as list_targets


def main(short_name: str, scratch: Path) -> dict[str, object]:
    """Return all facts about the new runtime that the test needs."""
    runtime, provider, precision = target_named(short_name)
    block = plain_block(16, 32)
    with LatencyMeter(target_here(runtime, provider, precision, imgsz=32), block, scratch=scratch) as meter:
        latency = meter.measure(block, meter.reference_ms()).measurement
        meter.device_is_idle()
    listed = StringIO()
    with redirect_stdout(listed):
        list_targets([])
    return {
        "runtimes": list(RUNTIMES),
        "name": name_of(runtime, provider, precision),
        "of a study": TargetSection.model_validate(short_name).name,
        "description": meter.target.description(),
        "key": meter.target.key,
        "clock": meter.target.clock,
        "device": runtime_named(runtime).device_name(provider),
        "ratio": latency.ratio,
        "target": latency.target,
        "listed": [line for line in listed.getvalue().splitlines() if short_name in line],
        "project": str(Path(sys.modules["objectives"].__path__[0]).parent),
        "locks": LOCKS,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
