"""Measures the networks of a plan on another machine by the same protocol: `python measure.pyz`, in the plan's folder.

Needs only Python, numpy and onnxruntime. If psutil is installed too, other work on the machine is noticed. If the
program was interrupted, start it again: it continues.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

from objectives.device.target import Target, TargetError
from objectives.remote.plan import RESULTS, PackedNetwork, Plan, PlanError, read_plan
from objectives.remote.results import Results, read_results
from objectives.remote.time_limit import ended_after, longest_s
from objectives.runtimes.catalogue import target_here
from objectives.runtimes.ort import ORT_PROVIDERS
from objectives.timing.process import NetworkTimer
from objectives.timing.protocol import MeasuringBudget
from objectives.timing.timings import Timings
from spaces.base import CandidateError
from spaces.shown import print_error, print_line

TRIES_UNTIL_LEFT_OUT = 3
"""Number of times that a network may kill the process before it is left out."""
REFERENCE_TRIES = 3
"""Maximum number of timings of the reference until no other work is observed."""


def main(arguments: list[str]) -> int:
    """Run the command line. Return 0 if all networks were measured, 1 if some could not be, 2 if none could."""
    options = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", message="The value of the smallest subnormal")  # it counts as zero: we ask for it
    folder = options.folder or Path(sys.argv[0]).resolve().parent
    try:
        plan = read_plan(folder)
        plan.check_files(folder)
        results = measure(plan, folder, options)
    except (PlanError, TargetError, CandidateError, OSError) as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        print_line("interrupted; the same command continues", file=sys.stderr)
        return 130
    for name, reason in results.failed.items():
        print_line(f"{name} could not be timed: {reason}")
    print_line(f"done: {len(results.timings)} of {len(plan.networks)} are in {folder / RESULTS}; take that file home")
    return 1 if results.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python measure.pyz", description=__doc__)
    parser.add_argument("--provider", choices=tuple(ORT_PROVIDERS), help="of onnxruntime (default: the plan's)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: the plan's)")
    parser.add_argument("--seconds", type=float, metavar="S", help="maximum for one network (default: the protocol's)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="folder of the plan (default: that of this program)")
    return parser


def measure(plan: Plan, folder: Path, options: argparse.Namespace) -> Results:
    """Time the networks that are not timed yet. The results file is written after each network.

    Raises:
        PlanError: If the stored results are of another plan, machine, provider or number of threads.
        TargetError: If this machine cannot measure the plan.
        CandidateError: If the reference does not run.
    """
    target = planned_target(plan, options.provider, options.threads)
    results = _begun(plan, folder, target)
    print_line(f"target: {target}, {target.engine}")
    left = [network for network in plan.networks if network.name not in {*results.timings, *results.failed}]
    if not left:
        return results
    timer = NetworkTimer(target)
    timer.load_reference(folder / plan.reference.file)
    if results.reference is None:
        results = Results(plan.key, target, time_uncontended_reference(timer, target.clock))
        results.write(folder)
    budget = MeasuringBudget() if options.seconds is None else MeasuringBudget(budget_s=options.seconds)
    for network in left:
        results = _with_network(results, network, folder, timer, budget)
        results.write(folder)
        print_line(_progress(results, network, len(plan.networks)))
    return results


def planned_target(plan: Plan, provider: str | None, threads: int | None) -> Target:
    """Return the plan's target on this machine, with the provider and threads of the command line.

    Raises:
        TargetError: If this machine has no such provider.
    """
    provider = provider or plan.provider
    if plan.precision == "int8" and provider != plan.provider:
        raise TargetError(f"--provider is {provider}; these int8 files were made for {plan.provider}")
    number = plan.threads if threads is None else threads
    target = target_here(
        "onnxruntime",
        provider,
        plan.precision,
        imgsz=plan.imgsz,
        batch=plan.batch,
        threads=number,
        calibration=plan.calibration,
    )
    return replace(target, reference=plan.compared_with)


def _begun(plan: Plan, folder: Path, target: Target) -> Results:
    """Return the results of an earlier start, or empty ones."""
    if not (folder / RESULTS).exists():
        return Results(plan.key, target)
    results = read_results(folder, plan)
    if results.target != target:
        raise PlanError(f"'{folder / RESULTS}' was measured on {results.target}, {results.target.engine}; move it away")
    return results


def time_uncontended_reference(timer: NetworkTimer, clock: str) -> Timings:
    """Time the reference alone, until no other work is observed; return the least disturbed of the tries."""
    tries: list[Timings] = []
    while len(tries) < REFERENCE_TRIES and not (tries and not tries[-1].contended(clock)):
        tries.append(timer.reference_alone())
    return min(tries, key=lambda each: (bool(each.contended(clock)), each.circumstances.others_busy or 0.0))


def _with_network(
    results: Results, network: PackedNetwork, folder: Path, timer: NetworkTimer, budget: MeasuringBudget
) -> Results:
    if results.begun.get(network.name, 0) >= TRIES_UNTIL_LEFT_OUT:
        return results.with_failure(network.name, f"the process died {TRIES_UNTIL_LEFT_OUT} times while it was timed")
    results.beginning(network.name).write(folder)
    limit_s = longest_s(budget.budget_s)
    hanging = results.with_failure(network.name, f"it did not end within {limit_s:.0f} s")
    try:
        with ended_after(limit_s, network.name, lambda: hanging.write(folder)):
            return results.with_timings(network.name, timer.time(folder / network.file, budget))
    except CandidateError as error:
        return results.with_failure(network.name, str(error))
    except KeyboardInterrupt:  # not the network's fault
        results.write(folder)
        raise


def _progress(results: Results, network: PackedNetwork, total: int) -> str:
    done = len(results.timings) + len(results.failed)
    where = f"{time.strftime('%H:%M:%S')} {done:3d} of {total}  {network.name}"
    timings = results.timings.get(network.name)
    if timings is None:
        return f"{where}: {results.failed[network.name]}"
    clock = results.target.clock
    ratio, (p50_ms, *_) = timings.ratio(clock), timings.percentiles_ms(clock)
    loaded = ", other work was seen" if timings.contended(clock) else ""
    return (
        f"{where}: {ratio.median:.3f} of the reference ({ratio.low:.3f} to {ratio.high:.3f}), {p50_ms:.2f} ms{loaded}"
    )
