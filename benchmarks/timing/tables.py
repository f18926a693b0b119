"""The figures of the benchmark of latency as Markdown tables, and the goals that they are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.setup.markdown import markdown_table
from benchmarks.timing.decisions import CONDITIONS, DECISIONS, OURS_CONFIRM, OURS_SEARCH

COMMON_METHOD = "median of 50"
MAX_VARIATION = (0.01, 0.02, 0.02)
"""Goals for the three conditions."""
PREDICTION_GOALS = {"mean": 0.025, "max": 0.08, "tau": 0.97}
NOT_MEASURED = "not measured"

LatencyFigures = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """A goal and the figure that was measured for it.

    Attributes:
        figure: The name of the figure.
        common: The figure that common practice reaches.
        goal: The figure to reach.
        met: None if it was not measured.
    """

    figure: str
    common: str
    goal: str
    measured: str
    met: bool | None

    @property
    def cells(self) -> list[str]:
        """The cells of its line in the table."""
        verdict = {True: "yes", False: "**no**", None: ""}[self.met]
        return [self.figure, self.common, self.goal, self.measured, verdict]


def latency_tables(figures: LatencyFigures) -> list[str]:
    """Return all tables with their headings, line by line."""
    parts = figures["parts"]
    found = ["## Goals", "", goal_table(figures), ""]
    for part, (heading, table) in PART_TABLES.items():
        if part in parts:
            found += [f"## {heading}", "", table(parts[part]), ""]
    return found[:-1]


def goal_table(figures: LatencyFigures) -> str:
    """Return the table of goals."""
    head = ["figure", "common practice, same run", "goal", "measured", "met"]
    return markdown_table(head, [each.cells for each in goals(figures)])


def goals(figures: LatencyFigures) -> list[Goal]:
    """Return all goals."""
    parts = figures["parts"]
    return [
        _variation_goal(parts.get("spread")),
        *_order_goals(parts.get("order")),
        _cost_goal(parts.get("cost")),
        *_prediction_goals(parts.get("prediction")),
        *_coverage_goals(parts.get("coverage")),
        _contention_goal(parts.get("foreign")),
    ]


def _variation_goal(part: LatencyFigures | None) -> Goal:
    figure, goal = "coefficient of variation: idle / one core busy / all cores busy", "<= 1 / 2 / 2 %"
    if part is None:
        return Goal(figure, "", goal, NOT_MEASURED, None)
    methods = (OURS_SEARCH, COMMON_METHOD)
    ours, common = ([part["variation"][method][condition] for condition in CONDITIONS] for method in methods)
    if None in ours:  # measured only once
        return Goal(figure, "", goal, NOT_MEASURED, None)
    met = all(value <= limit for value, limit in zip(ours, MAX_VARIATION, strict=True))
    return Goal(figure, f"{_percents(common)} %", goal, f"{_percents(ours)} %", met)


def _percents(values: Sequence[float]) -> str:
    return " / ".join(f"{100 * value:.1f}" for value in values)


def _order_goals(part: LatencyFigures | None) -> Iterator[Goal]:
    search, confirm = f"wrong of {DECISIONS} pairs 5 % apart, search", f"wrong of {DECISIONS}, `search.confirm`"
    if part is None:
        yield Goal(search, "", "<= 10", NOT_MEASURED, None)
        yield Goal(confirm, "", "0", NOT_MEASURED, None)
        return
    wrong, decisions = part["same_condition"][OURS_SEARCH]
    common = _scaled_to_200(*part["same_condition"][COMMON_METHOD])
    met = wrong / decisions <= 10 / DECISIONS
    yield Goal(search, common, "<= 10", _scaled_to_200(wrong, decisions), met)
    races = part["races"]
    ties = f"; {races['ties']} shown as ties" if races["ties"] else ""
    yield Goal(confirm, "", "0", _scaled_to_200(races["wrong"], races["decisions"]) + ties, races["wrong"] == 0)


def _scaled_to_200(wrong: int, decisions: int) -> str:
    """Return the wrong decisions scaled to 200, and the counts: `2.94 (3 of 204)`."""
    if not decisions:
        return ""
    return f"{DECISIONS * wrong / decisions:.3g} ({wrong} of {decisions})"


def _cost_goal(part: LatencyFigures | None) -> Goal:
    figure, goal = "CPU-s per candidate, export included, 160 / 320 px", "<= 2"
    if part is None:
        return Goal(figure, "1.5 to 2", goal, NOT_MEASURED, None)
    medians = [sorted(values)[len(values) // 2] for values in part.values()]
    measured = f"{' / '.join(f'{value:.2f}' for value in medians)} (maximum: {max(map(max, part.values())):.2f})"
    return Goal(figure, "1.5 to 2", goal, measured, max(medians) <= 2)


def _prediction_goals(part: LatencyFigures | None) -> Iterator[Goal]:
    goal = "<= 2.5 / 8 %, >= 0.97"
    for runtime in part or ("onnxruntime", "openvino"):
        figure = f"prediction, {runtime}: mean / maximum error, Kendall tau"
        if part is None:
            yield Goal(figure, "", goal, NOT_MEASURED, None)
            continue
        ours, common = part[runtime]["ours"], part[runtime]["proportional to FLOPs"]
        met = ours["mean"] <= PREDICTION_GOALS["mean"] and ours["max"] <= PREDICTION_GOALS["max"]
        yield Goal(figure, _errors(common), goal, _errors(ours), met and ours["tau"] >= PREDICTION_GOALS["tau"])


def _errors(found: LatencyFigures) -> str:
    return f"{100 * found['mean']:.1f} / {100 * found['max']:.1f} %, {found['tau']:.3f}"


def _coverage_goals(part: LatencyFigures | None) -> Iterator[Goal]:
    simulated = "95 % intervals that contain the true value, simulated clock"
    real = "95 % intervals that contain the long-run value, real machine"
    if part is None:
        yield Goal(simulated, "", "93 to 97 %", NOT_MEASURED, None)
        yield Goal(real, "", "90 to 98 %", NOT_MEASURED, None)
        return
    held = sum(each["held"] for each in part["simulated"])
    count = sum(each["measurements"] for each in part["simulated"])
    yield Goal(simulated, "", "93 to 97 %", f"{100 * held / count:.1f} % of {count}", 0.93 <= held / count <= 0.97)
    held, count = (sum(counts[index] for counts in part["real"].values()) for index in (0, 1))
    share = held / count if count else 0.0
    yield Goal(real, "", "90 to 98 %", f"{100 * share:.1f} % of {count}", 0.90 <= share <= 0.98)


def _contention_goal(part: LatencyFigures | None) -> Goal:
    figure, goal = "shift beside three trainings without our lock, median", "within 2 %"
    if part is None:
        return Goal(figure, "", goal, NOT_MEASURED, None)
    return Goal(figure, "", goal, f"{100 * part['median']:+.2f} %", abs(part["median"]) <= 0.02)


def spread_table(part: LatencyFigures) -> str:
    """Return the coefficients of variation by method and condition."""
    lines = [
        [method, *("" if values[c] is None else f"{100 * values[c]:.1f} %" for c in CONDITIONS)]
        for method, values in part["variation"].items()
    ]
    others = ["(cores that other processes kept busy)", *(f"{part['other_processes'][c]:.2f}" for c in CONDITIONS)]
    return markdown_table(["coefficient of variation", *CONDITIONS], [*lines, others])


def order_table(part: LatencyFigures) -> str:
    """Return the wrong decisions by method: measured in the same round, and in any two rounds."""
    same, any_two = part["same_condition"], part["any_condition"]
    lines = [[method, _scaled_to_200(*same[method]), _scaled_to_200(*any_two[method])] for method in same]
    races = part["races"]
    lines.append([OURS_CONFIRM, _scaled_to_200(races["wrong"], races["decisions"]), ""])
    head = [f"wrong of {DECISIONS}", "measured one after the other", "at any two times, under any load"]
    return markdown_table(head, lines)


def coverage_table(part: LatencyFigures) -> str:
    """Return the coverage of intervals by machine and disturbance."""
    lines = [
        [f"simulated: {each['disturbance']}", f"{100 * each['held'] / each['measurements']:.1f} %",
         str(each["measurements"]), f"{100 * each['width']:.1f} %", f"{each['loadings']:.1f}"]
        for each in part["simulated"]
    ]  # fmt: skip
    for condition, (held, count) in part["real"].items():
        lines.append([f"real: {condition}", f"{100 * held / count:.1f} %" if count else "", str(count), "", ""])
    return markdown_table(["machine", "coverage", "measurements", "width, median", "loadings, mean"], lines)


def prediction_table(part: LatencyFigures) -> str:
    """Return the errors of every model on every runtime."""
    lines = [
        [f"{runtime}: {model}", f"{100 * found['mean']:.1f} %", f"{100 * found['max']:.1f} %", f"{found['tau']:.3f}"]
        for runtime, models in part.items()
        for model, found in models.items()
    ]
    return markdown_table(["model", "mean error", "maximum error", "Kendall tau"], lines)


def contention_table(part: LatencyFigures) -> str:
    """Return the distribution of the shift."""
    lines = [
        ["single measurements: median", f"{100 * part['median']:+.2f} %"],
        ["5th to 95th percentile", f"{100 * part['percentile_5']:+.2f} to {100 * part['percentile_95']:+.2f} %"],
        ["largest", f"{100 * part['largest']:.2f} %"],
        [f"shifts within 2 %, of {part['measurements']}", f"{100 * part['within_2_percent']:.0f} %"],
        *([f"median of {name}", f"{100 * value:+.2f} %"] for name, value in part["by_network"].items()),
    ]
    return markdown_table(["beside three trainings, compared with alone", "shift"], lines)


PART_TABLES = {
    "spread": ("Spread", spread_table),
    "order": ("Order", order_table),
    "coverage": ("Coverage", coverage_table),
    "prediction": ("Prediction", prediction_table),
    "foreign": ("Contention", contention_table),
}
"""Heading and table by part."""
