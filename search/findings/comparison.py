"""Differences between two records: figures, accuracy by class, recipe, weights and widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from objectives.quantities import quantity_named
from search.findings.columns import Column, columns_of
from search.record.latency_text import LATENCY, further_names, latency_text
from search.record.number_text import percent, score, significant
from search.record.trial import TrialRecord
from spaces.base import PARENT, SCRATCH, Origin

MIN_AP_CHANGE = 0.0005
"""Minimum change of a class's AP that is shown; three digits would hide a smaller one."""


@dataclass(frozen=True)
class Difference:
    """One difference between two records.

    Attributes:
        part: `figures (val)`, `recipe`, ...
        name: Name within the part.
        first: Value of the first record as text; empty if it has none.
        second: Value of the second record.
        change: Change from the first to the second as text; empty if it has no meaning.
    """

    part: str
    name: str
    first: str
    second: str
    change: str = ""


def record_differences(one: TrialRecord, other: TrialRecord, classes: Sequence[str] = ()) -> tuple[Difference, ...]:
    """Return all differences: figures, classes, recipe, weights, widths.

    Args:
        classes: Names by class number; numbers are shown if there are none.
    """
    return (
        *_figures(one, other),
        *_classes(one, other, classes),
        *_recipes(one, other),
        *_weights(one, other),
        *_widths(one, other),
    )


def difference_table(found: Sequence[Difference], names: Sequence[str]) -> Table:
    """Return a table for rich: the part, the name, the value of each record and the change.

    Args:
        names: Names of the two records.
    """
    table = Table(title="differences", title_justify="left", box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("")
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("change", justify="right")
    part = ""
    for each in found:
        if each.part != part and part:
            table.add_section()
        table.add_row(each.part if each.part != part else "", each.name, each.first, each.second, each.change)
        part = each.part
    return table


def _figures(one: TrialRecord, other: TrialRecord) -> list[Difference]:
    columns = columns_of([one, other])
    costs = [column for column in columns if quantity_named(column.key).before_training]
    accuracies = [column for column in columns if column not in costs]
    splits = dict.fromkeys(each.split for record in (one, other) for each in record.evaluations)
    found = [
        _figure(f"accuracy ({split})", column, one.value(column.key, split), other.value(column.key, split))
        for split in splits
        for column in accuracies
    ]
    found += [_figure("cost", column, one.value(column.key), other.value(column.key)) for column in costs]
    return [_with_latency(each, one, other) for each in found if each is not None]


def _figure(part: str, column: Column, ours: float | None, theirs: float | None) -> Difference | None:
    if ours == theirs:
        return None
    texts = ["" if value is None else column.text(value) for value in (ours, theirs)]
    return Difference(part, column.title, texts[0], texts[1], _change(column, ours, theirs))


def _change(column: Column, ours: float | None, theirs: float | None) -> str:
    if ours is None or theirs is None:
        return ""
    if column.text is score:
        return f"{theirs - ours:+.3f}"
    if column.text is percent:
        return f"{100 * (theirs - ours):+.0f} %"
    return f"{theirs / ours:.2f}x" if ours else ""


def _with_latency(found: Difference, one: TrialRecord, other: TrialRecord) -> Difference:
    """Return a difference of latencies with their intervals, and a remark if these overlap."""
    names = {column.title: column.key for column in columns_of([one, other])}
    key = names.get(found.name, "")
    if key not in (LATENCY, *further_names([one, other])):
        return found
    ours, theirs = one.measurement(key), other.measurement(key)
    if ours is None or theirs is None:
        return found
    bounds = (ours.low, ours.high, theirs.low, theirs.high)
    low, high, their_low, their_high = bounds
    overlap = None not in bounds and low <= their_high and their_low <= high  # type: ignore[operator]
    change = f"{found.change} (intervals overlap)" if overlap else found.change
    if ours.target != theirs.target:
        change = "other targets: not comparable"
    return Difference(found.part, found.name, latency_text(ours), latency_text(theirs), change)


def _classes(one: TrialRecord, other: TrialRecord, classes: Sequence[str]) -> list[Difference]:
    """Return the changes of each class's AP on val, the greatest first; an AP of -1 means no labels."""
    ours, theirs = one.evaluation(), other.evaluation()
    if ours is None or theirs is None or len(ours.ap_per_class) != len(theirs.ap_per_class):
        return []
    pairs = [
        (number, before, after)
        for number, (before, after) in enumerate(zip(ours.ap_per_class, theirs.ap_per_class, strict=True))
        if min(before, after) >= 0 and abs(after - before) >= MIN_AP_CHANGE
    ]
    pairs.sort(key=lambda each: -abs(each[2] - each[1]))
    names = dict(enumerate(classes))
    return [
        Difference("AP by class (val)", names.get(number, f"class {number}"), score(before), score(after),
                   f"{after - before:+.3f}")
        for number, before, after in pairs
    ]  # fmt: skip


def _recipes(one: TrialRecord, other: TrialRecord) -> list[Difference]:
    found = _mappings("recipe", one.recipe, other.recipe)
    if one.seed != other.seed:
        found.append(Difference("recipe", "seed", str(one.seed), str(other.seed)))
    seconds = [record.seconds.get("training") for record in (one, other)]
    if None not in seconds and seconds[0] != seconds[1]:
        texts = ["" if each is None else f"{each:.0f}" for each in seconds]
        found.append(Difference("recipe", "training, s", *texts))
    return found


def _mappings(part: str, ours: Mapping[str, object], theirs: Mapping[str, object]) -> list[Difference]:
    names = dict.fromkeys([*ours, *theirs])
    return [
        Difference(part, name, _shown(ours.get(name)), _shown(theirs.get(name)))
        for name in names
        if ours.get(name) != theirs.get(name)
    ]


def _shown(value: object) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _weights(one: TrialRecord, other: TrialRecord) -> list[Difference]:
    found = [Difference("weights", "made from", one.lineage or "", other.lineage or "")]
    if one.origin is not None and other.origin is not None:
        found.append(Difference("weights", "layers from", _sources(one.origin), _sources(other.origin)))
    found += _mappings("searched", one.params, other.params)
    return [each for each in found if each.first != each.second]


def _sources(origin: Origin) -> str:
    """Return the source of each top-level layer's initial weights: `0-9 parent, 10-22 3f2a91`."""
    runs: list[tuple[int, int, str]] = []
    for layer, source in enumerate(origin.layers):
        name = source if source in (PARENT, SCRATCH) else source[:6]
        if runs and runs[-1][2] == name:
            runs[-1] = (runs[-1][0], layer, name)
        else:
            runs.append((layer, layer, name))
    return ", ".join(f"{first}-{last} {name}" if last > first else f"{first} {name}" for first, last, name in runs)


def _widths(one: TrialRecord, other: TrialRecord) -> list[Difference]:
    """Return the differing widths by group; for networks of two parents only the numbers of groups."""
    ours, theirs = one.spec, other.spec
    if ours is None or theirs is None:
        return []
    if ours.groups != theirs.groups:
        return [Difference("widths", "channel groups", str(len(ours.groups)), str(len(theirs.groups)))]
    found = [
        Difference("widths", name, str(len(kept)), str(len(their_kept)), significant(len(their_kept) / len(kept)) + "x")
        for name, kept, their_kept in zip(ours.groups, ours.kept, theirs.kept, strict=True)
        if len(kept) != len(their_kept)
    ]
    same_width = sum(
        len(kept) == len(their_kept) and kept != their_kept
        for kept, their_kept in zip(ours.kept, theirs.kept, strict=True)
    )
    if same_width:
        found.append(Difference("widths", "groups of equal width with other channels", "", str(same_width)))
    if ours.dropped != theirs.dropped:
        found.append(Difference("widths", "dropped bottlenecks", ", ".join(ours.dropped), ", ".join(theirs.dropped)))
    return found
