"""Figures of stopping rules: epochs to the goal, hypervolume, and front members that were stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.setup.markdown import markdown_table
from benchmarks.stopping.rules import COMPLETE_TRIALS, LATENCY_PARTS, STOPPING_GOAL

RuleRun = tuple[str, str, int, int]
"""Problem, rule, number of workers, seed."""


def stopping_figures(found: Mapping[RuleRun, Mapping[str, Any]]) -> dict[str, Any]:
    """Return epochs and trials to the goal by rule and workers, and stopped members of the true front by rule."""
    figures: dict[str, Any] = {"rules": {}, "lost": {}}
    for rule, workers in dict.fromkeys((rule, workers) for _, rule, workers, _ in found):
        runs = [each for (_, r, w, _), each in found.items() if (r, w) == (rule, workers)]
        figures["rules"].setdefault(rule, {})[workers] = {
            "epochs": _median([each["epochs"] for each in runs]),
            "trials": _median([each["trials"] for each in runs]),
            "stopped": float(np.mean([each["stopped"] / each["begun"] for each in runs])),
            "share": _median([each["share"] for each in runs]),
            "runs": len(runs),
        }
    for rule in figures["rules"]:
        figures["lost"][rule] = _stopped_members([each for key, each in found.items() if key[1] == rule])
    return figures


def _stopped_members(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the share of started front members that were stopped: in all, and by tenth of the latency range."""
    begun, lost = (
        np.bincount([part for run in runs for part in run[key]], minlength=LATENCY_PARTS) for key in ("members", "lost")
    )
    shares = [float(stopped / started) if started else None for stopped, started in zip(lost, begun, strict=True)]
    return {"share": float(lost.sum() / max(1.0, begun.sum())), "tenths": shares, "begun": begun.tolist()}


def _median(values: Sequence[float | None]) -> float | None:
    """Return the median, where None (never reached) is greater than any number."""
    middle = float(np.median([np.inf if value is None else value for value in values]))
    return None if np.isinf(middle) else middle


def stopping_tables(figures: Mapping[str, Any]) -> list[str]:
    """Return three tables: epochs to the goal, hypervolume after `COMPLETE_TRIALS` trials, stopped front members."""
    rules: Mapping[str, Any] = figures["rules"]
    workers = list(dict.fromkeys(count for each in rules.values() for count in each))
    epochs = [
        [
            rule,
            *(_epochs(each.get(count)) for count in workers),
            _percent(np.mean([one["stopped"] for one in each.values()])),
        ]
        for rule, each in rules.items()
    ]
    lost = [
        [rule, _percent(each["share"]), *("" if part is None else _percent(part) for part in each["tenths"])]
        for rule, each in figures["lost"].items()
    ]
    shares = [[rule, *(_share(each.get(count)) for count in workers)] for rule, each in rules.items()]
    parts = [str(number) for number in range(1, LATENCY_PARTS + 1)]
    until = f"epochs to {100 * STOPPING_GOAL:.0f} %, by workers"
    after = f"hypervolume after {COMPLETE_TRIALS} complete trials, by workers"
    return [
        markdown_table([until, *map(str, workers), "trials stopped"], epochs),
        markdown_table([after, *map(str, workers)], shares),
        markdown_table(["stopped front members", "all", *parts], lost),
    ]


def _epochs(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return "never" if found["epochs"] is None else f"{found['epochs']:g} ({found['trials']:g} trials)"


def _share(found: Mapping[str, Any] | None) -> str:
    """Return the share; empty if too many trials were stopped, so that fewer were complete."""
    return "" if found is None or found["share"] is None else _percent(found["share"])


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
