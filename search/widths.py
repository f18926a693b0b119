"""Which widths a target likes: `python -m search.widths --provider cpu --threads 1`.

Times a plain block of convolutions at many widths and prints the multiple for a study's space. Give the options as the
study's target has them: the answer holds there only.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from objectives.timing.width_steps import Curve, WidthSteps, settle
from search.cli.command import Exit, run_command

if TYPE_CHECKING:
    from objectives.timing.timings import Timings

SECONDS = 50.0  # then it makes do with what it has


def main(arguments: list[str]) -> int:
    """The command line; exits with 1 if the times do not settle the multiple."""
    begun = time.monotonic()
    options = _parser().parse_args(arguments)
    from objectives.runtimes.catalogue import target_here
    from objectives.timing.plain_block import block_timer  # imports torch and Ultralytics, which --help does not need

    target = target_here(**vars(options))
    print(f"target: {target}", flush=True)
    seen: list[Timings] = []
    with block_timer(target) as timed:

        def time_width(width: int) -> float:
            _progress(f"{width} channels, measurement {len(seen) + 1}")
            seen.append(timed(width))
            return seen[-1].ratio(target.clock).median

        curve, found = settle(time_width, lambda: time.monotonic() - begun > SECONDS)
    _progress("")
    print(*table(curve), "", *evidence(found), "", sep="\n")
    print(f"{_circumstances(seen)}; {time.monotonic() - begun:.0f} s")
    print(*verdict(found), sep="\n")
    return Exit.ERROR if found.multiple is None else Exit.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.widths", description=__doc__)
    parser.add_argument("--runtime", default="onnxruntime", help="inference engine (default: %(default)s)")
    parser.add_argument("--provider", default="cpu", help="the engine's way of running (default: %(default)s)")
    parser.add_argument("--precision", default="fp32", help="fp32 or fp16 (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images per call (default: %(default)s)")
    parser.add_argument(
        "--imgsz",
        type=int,
        default=320,
        metavar="PX",
        help="image size; the block works on an eighth of it (default: %(default)s: 40 x 40, as at stride 16 of 640)",
    )
    return parser


def _progress(text: str) -> None:
    """Overwrite the terminal's line; a log gets none."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _circumstances(seen: list[Timings]) -> str:
    noted = [timings.circumstances.others_busy for timings in seen]
    busy = [cores for cores in noted if cores is not None]
    load = f"other work kept {np.mean(busy):.1f} cores busy" if busy else "other work cannot be seen here"
    return f"{len(seen)} measurements; {load}"


def table(curve: Curve) -> list[str]:
    """Latency over width: the mean of its measurements, as a share of what 64 channels take."""
    lines = ["width  latency  per channel  measured   (latency of 64 channels: 1)"]
    for width, latencies in curve.items():
        latency = np.mean(latencies)
        lines.append(f"{width:5d}  {latency:7.3f}  {latency * 64 / width:11.3f}  {len(latencies):8d}")
    return lines


def evidence(found: WidthSteps) -> list[str]:
    """The penalty of each multiple, and how much measurements of the same width vary."""
    lines = ["multiple  places  penalty half way to the next multiple (0: a slope; 1 or more: a staircase)"]
    lines += [f"{each.multiple:8d}  {len(each.places):6d}  {each}: {each.verdict}" for each in found.penalties]
    return [*lines, f"measurements of one width vary by {100 * found.spread:.1f} % (standard deviation)"]


def verdict(found: WidthSteps) -> list[str]:
    """The answer, and the line that puts it into a study; or what to do where there is none."""
    if found.multiple is None:
        remedy = "run it again on a quieter machine, or with a larger --imgsz or --batch"
        return [f"multiple: undecided; {found.reason}", remedy]
    return [f"multiple: {found.multiple}; {found.reason}", f"-o space.multiple={found.multiple}"]


if __name__ == "__main__":
    sys.exit(run_command(main))
