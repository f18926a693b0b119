"""The figures of the benchmark of latency as Markdown tables, and whether they reach what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.setup.markdown import markdown_table
from benchmarks.timing.rounds import CONDITIONS, DECISIONS, OURS, RACE

COMMON = "median of 50"
MUST_VARY = (0.01, 0.02, 0.02)
MUST_PREDICT = {"mean": 0.025, "max": 0.08, "tau": 0.97}
ABSENT = "not measured"

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A figure that was asked for.

    Attributes:
        common: What common practice reaches.
        must: What was asked.
        met: None where it was not measured.
    """

    figure: str
    common: str
    must: str
    reached: str
    met: bool | None

    @property
    def cells(self) -> list[str]:
        """As a line of the table."""
        verdict = {True: "yes", False: "**no**", None: ""}[self.met]
        return [self.figure, self.common, self.must, self.reached, verdict]


def tables(figures: Figures) -> list[str]:
    """All of them, with headings."""
    parts = figures["parts"]
    found = ["## Asked and reached", "", asked_and_reached(figures), ""]
    if "spread" in parts:
        found += ["## Spread", "", spread(parts["spread"]), ""]
    if "order" in parts:
        found += ["## Order", "", order(parts["order"]), ""]
    if "coverage" in parts:
        found += ["## Coverage", "", coverage(parts["coverage"]), ""]
    if "prediction" in parts:
        found += ["## Prediction", "", prediction(parts["prediction"]), ""]
    if "foreign" in parts:
        found += ["## Beside foreign trainings", "", foreign(parts["foreign"]), ""]
    return found[:-1]


def asked_and_reached(figures: Figures) -> str:
    """The table of what was asked."""
    return markdown_table(
        ["figure", "common practice, same run", "must reach", "reached", "met"], [r.cells for r in rows(figures)]
    )


def rows(figures: Figures) -> list[Row]:
    """One for each figure that was asked for."""
    parts = figures["parts"]
    return [
        _variation(parts.get("spread")),
        *_orders(parts.get("order")),
        _cost(parts.get("cost")),
        *_predictions(parts.get("prediction")),
        *_coverages(parts.get("coverage")),
        _foreign(parts.get("foreign")),
    ]


def _variation(part: Figures | None) -> Row:
    figure, must = "coefficient of variation: idle / one core busy / all cores busy", "<= 1 / 2 / 2 %"
    if part is None:
        return Row(figure, "", must, ABSENT, None)
    ours, theirs = ([part["variation"][way][condition] for condition in CONDITIONS] for way in (OURS, COMMON))
    if None in ours:  # measured once only
        return Row(figure, "", must, ABSENT, None)
    met = all(value <= limit for value, limit in zip(ours, MUST_VARY, strict=True))
    return Row(figure, f"{_percents(theirs)} %", must, f"{_percents(ours)} %", met)


def _percents(values: Sequence[float]) -> str:
    return " / ".join(f"{100 * value:.1f}" for value in values)


def _orders(part: Figures | None) -> Iterator[Row]:
    search, confirm = f"wrong of {DECISIONS} pairs 5 % apart, search", f"wrong of {DECISIONS}, `search.confirm`"
    if part is None:
        yield Row(search, "", "<= 10", ABSENT, None)
        yield Row(confirm, "", "0", ABSENT, None)
        return
    wrong, decisions = part["same_condition"][OURS]
    yield Row(search, _scaled(*part["same_condition"][COMMON]), "<= 10", _scaled(wrong, decisions),
              wrong / decisions <= 10 / DECISIONS)  # fmt: skip
    races = part["races"]
    ties = f"; {races['ties']} shown as ties" if races["ties"] else ""
    yield Row(confirm, "", "0", _scaled(races["wrong"], races["decisions"]) + ties, races["wrong"] == 0)


def _scaled(wrong: int, decisions: int) -> str:
    """Wrong decisions for 200, and what was counted."""
    if not decisions:
        return ""
    return f"{DECISIONS * wrong / decisions:.3g} ({wrong} of {decisions})"


def _cost(part: Figures | None) -> Row:
    figure, must = "CPU-s a candidate, export included, 160 / 320 px", "<= 2"
    if part is None:
        return Row(figure, "1.5 to 2", must, ABSENT, None)
    medians = [sorted(values)[len(values) // 2] for values in part.values()]
    reached = f"{' / '.join(f'{value:.2f}' for value in medians)} (most: {max(map(max, part.values())):.2f})"
    return Row(figure, "1.5 to 2", must, reached, max(medians) <= 2)


def _predictions(part: Figures | None) -> Iterator[Row]:
    must = "<= 2.5 / 8 %, >= 0.97"
    for engine in part or ("onnxruntime", "openvino"):
        figure = f"prediction, {engine}: mean / greatest error, Kendall tau"
        if part is None:
            yield Row(figure, "", must, ABSENT, None)
            continue
        ours, theirs = part[engine]["ours"], part[engine]["proportional to FLOPs"]
        met = ours["mean"] <= MUST_PREDICT["mean"] and ours["max"] <= MUST_PREDICT["max"]
        yield Row(figure, _errors(theirs), must, _errors(ours), met and ours["tau"] >= MUST_PREDICT["tau"])


def _errors(found: Figures) -> str:
    return f"{100 * found['mean']:.1f} / {100 * found['max']:.1f} %, {found['tau']:.3f}"


def _coverages(part: Figures | None) -> Iterator[Row]:
    scripted, real = "the 95 % interval holds the true value, scripted clock", "the same, long-run value, real"
    if part is None:
        yield Row(scripted, "", "93 to 97 %", ABSENT, None)
        yield Row(real, "", "90 to 98 %", ABSENT, None)
        return
    held = sum(each["held"] for each in part["scripted"])
    count = sum(each["measurements"] for each in part["scripted"])
    yield Row(scripted, "", "93 to 97 %", f"{100 * held / count:.1f} % of {count}", 0.93 <= held / count <= 0.97)
    held, count = (sum(counts[index] for counts in part["real"].values()) for index in (0, 1))
    share = held / count if count else 0.0
    yield Row(real, "", "90 to 98 %", f"{100 * share:.1f} % of {count}", 0.90 <= share <= 0.98)


def _foreign(part: Figures | None) -> Row:
    figure, must = "moved by three foreign trainings, median", "within 2 %"
    if part is None:
        return Row(figure, "", must, ABSENT, None)
    return Row(figure, "", must, f"{100 * part['median']:+.2f} %", abs(part["median"]) <= 0.02)


def spread(part: Figures) -> str:
    """Coefficients of variation by way and condition."""
    lines = [
        [way, *("" if values[c] is None else f"{100 * values[c]:.1f} %" for c in CONDITIONS)]
        for way, values in part["variation"].items()
    ]
    strangers = ["(cores kept busy by strangers)", *(f"{part['strangers'][c]:.2f}" for c in CONDITIONS)]
    return markdown_table(["coefficient of variation", *CONDITIONS], [*lines, strangers])


def order(part: Figures) -> str:
    """Wrong decisions by way: measured in the same round, and at any two times."""
    ways = part["same_condition"]
    lines = [[way, _scaled(*ways[way]), _scaled(*part["any_condition"][way])] for way in ways]
    races = part["races"]
    lines.append([RACE, _scaled(races["wrong"], races["decisions"]), ""])
    return markdown_table(
        [f"wrong of {DECISIONS}", "measured one after the other", "at any two times, under any load"], lines
    )


def coverage(part: Figures) -> str:
    """Intervals that held the true value, by what disturbs the machine."""
    lines = [
        [f"scripted: {each['world']}", f"{100 * each['held'] / each['measurements']:.1f} %", str(each["measurements"]),
         f"{100 * each['width']:.1f} %", f"{each['loadings']:.1f}"]
        for each in part["scripted"]
    ]  # fmt: skip
    for condition, (held, count) in part["real"].items():
        lines.append([f"real: {condition}", f"{100 * held / count:.1f} %" if count else "", str(count), "", ""])
    return markdown_table(["machine", "held", "measurements", "width, median", "loadings, mean"], lines)


def prediction(part: Figures) -> str:
    """Errors of every model on every engine."""
    lines = [
        [f"{engine}: {model}", f"{100 * found['mean']:.1f} %", f"{100 * found['max']:.1f} %", f"{found['tau']:.3f}"]
        for engine, models in part.items()
        for model, found in models.items()
    ]
    return markdown_table(["model", "mean error", "greatest error", "Kendall tau"], lines)


def foreign(part: Figures) -> str:
    """How the difference is distributed."""
    lines = [
        ["single measurements: median", f"{100 * part['median']:+.2f} %"],
        ["5th to 95th percentile", f"{100 * part['percentile_5']:+.2f} to {100 * part['percentile_95']:+.2f} %"],
        ["largest", f"{100 * part['largest']:.2f} %"],
        [f"within 2 % of the one alone, of {part['measurements']}", f"{100 * part['within_2_percent']:.0f} %"],
        *([f"median of {name}", f"{100 * value:+.2f} %"] for name, value in part["by_network"].items()),
    ]
    return markdown_table(["beside three trainings, minus alone", "difference"], lines)
