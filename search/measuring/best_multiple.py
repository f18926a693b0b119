"""Find the multiple of channels that a target runs fastest: time a plain block at many widths."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from objectives.device.target import Target
from objectives.timing.plain_block import block_timer
from objectives.timing.timings import Timings
from objectives.timing.width_steps import LatencyByWidth, WidthSteps, settle

SECONDS = 50.0
"""Time after which no further measurement begins."""


@dataclass(frozen=True)
class BestMultiple:
    """The measured widths of one target, and what follows from them."""

    curve: LatencyByWidth
    steps: WidthSteps
    timings: tuple[Timings, ...]
    seconds: float

    def lines(self) -> list[str]:
        """Return table, evidence and verdict as lines for a terminal."""
        circumstances = f"{_circumstances(self.timings)}; {self.seconds:.0f} s"
        return [*table_lines(self.curve), "", *evidence_lines(self.steps), "", circumstances, *verdict(self.steps)]


def find_best_multiple(
    target: Target,
    *,
    within_s: float | None = None,
    progress: Callable[[str], None] = lambda text: None,
    clock: Callable[[], float] = time.monotonic,
) -> BestMultiple:
    """Time widths on a target until the multiple is settled or the time is up.

    Args:
        within_s: Seconds after which no measurement begins; `SECONDS` by default.
        progress: Receives the current step, and an empty text at the end.
    """
    begun, limit_s = clock(), SECONDS if within_s is None else within_s
    timings: list[Timings] = []
    with block_timer(target) as time_block:

        def time_width(width: int) -> float:
            progress(f"{width} channels, measurement {len(timings) + 1}")
            timings.append(time_block(width))
            return timings[-1].ratio(target.clock).median

        curve, steps = settle(time_width, lambda: clock() - begun > limit_s)
    progress("")
    return BestMultiple(curve, steps, tuple(timings), clock() - begun)


def _circumstances(timings: tuple[Timings, ...]) -> str:
    noted = [each.circumstances.others_busy for each in timings]
    busy = [cores for cores in noted if cores is not None]
    load = f"other work kept {np.mean(busy):.1f} cores busy" if busy else "other work cannot be seen here"
    return f"{len(timings)} measurements; {load}"


def table_lines(curve: LatencyByWidth) -> list[str]:
    """Return mean latency by width, relative to that of 64 channels."""
    lines = ["width  latency  per channel  measured   (latency of 64 channels: 1)"]
    for width, latencies in curve.items():
        latency = np.mean(latencies)
        lines.append(f"{width:5d}  {latency:7.3f}  {latency * 64 / width:11.3f}  {len(latencies):8d}")
    return lines


def evidence_lines(steps: WidthSteps) -> list[str]:
    """Return the penalty of each multiple, and the variation between measurements of one width."""
    lines = ["multiple  places  penalty half way to the next multiple (0: a slope; 1 or more: a staircase)"]
    lines += [f"{each.multiple:8d}  {len(each.places):6d}  {each}: {each.verdict}" for each in steps.penalties]
    return [*lines, f"measurements of one width vary by {100 * steps.spread:.1f} % (standard deviation)"]


def verdict(steps: WidthSteps) -> list[str]:
    """Return the multiple and the option that sets it in a study; or why it is undecided and what helps."""
    if steps.multiple is None:
        remedy = "run it again on a less loaded machine, or with a larger --imgsz or --batch"
        return [f"multiple: undecided; {steps.reason}", remedy]
    return [f"multiple: {steps.multiple}; {steps.reason}", f"-o space.multiple={steps.multiple}"]
