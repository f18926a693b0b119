"""The note of a row: facts about a record that are no figures."""

from __future__ import annotations

from collections.abc import Sequence

from objectives.quantities import FILE_ACCURACIES, LATENCY_MS, MAP50_95
from search.record.number_text import figure_text, percent, score, significant
from search.record.trial import Outcome, TrialRecord
from search.record.words import OUTCOME_WORDS, SAME_AS, roles_text
from search.study.spaces.registry import describe_params

BROKEN_SHARE = 0.5
"""Share of its network's mAP50-95 below which a file of reduced precision is called broken."""
LEAST_ACCURACY = 0.05
"""Accuracy of a network below which nothing is said about its files."""
MAX_NAMED = 2
"""Maximum number of emptied layers that a note names."""


def note(record: TrialRecord, roles: Sequence[str] = ()) -> str:
    """Return role on the front, exceeded limits, ending with its reason, and how the network was made."""
    parts = [roles_text(roles)] if roles else []
    if record.outcome is not Outcome.COMPLETE:
        parts.append(_ending(record))
    else:
        parts += [over_limit(name, by) for name, by in record.constraints.items() if by > 0]
        parts += broken_files(record)
    if from_space := describe_params(record.params):
        parts.append(from_space)
    if record.spec is not None and record.spec.dropped:
        count = len(record.spec.dropped)
        parts.append(f"without {count} bottleneck{'s' * (count > 1)}")
    if searched := _searched_recipe(record):
        parts.append(searched)
    if by_threshold := _cut_at_threshold(record):
        parts.append(by_threshold)
    if record.is_repeated:
        parts.append("the same training with another seed")
    if record.lineage:
        trained = f", {record.line_epochs} epochs since the parent" if record.ancestors else ""
        parts.append(f"from {record.lineage}{trained}")
    return "; ".join(parts)


def outcome_line(record: TrialRecord, objectives: tuple[str, ...]) -> str:
    """Return one line about an ended trial or a reference row: its name, outcome and objectives or reason."""
    figures = []
    for name in objectives:
        value = record.value(name)
        if value is not None:
            figures.append(figure_text(name, value))
    ended = "" if record.outcome is Outcome.COMPLETE else OUTCOME_WORDS[record.outcome]
    parts = [ended, *(figures if not record.reason else []), record.reason]  # a reason contains its own figures
    return f"{record.name}: " + ", ".join(part for part in parts if part)


def _searched_recipe(record: TrialRecord) -> str:
    """Return the recipe's searched fields: `lr0 0.00316, distill 3`."""
    found = {name.removeprefix("recipe."): v for name, v in record.params.items() if name.startswith("recipe.")}
    return ", ".join(f"{name} {v:.3g}" if isinstance(v, float) else f"{name} {v}" for name, v in found.items())


def _cut_at_threshold(record: TrialRecord) -> str:
    """Return `43 % of the scales below 0.01`, and whether these were too few or would have emptied layers."""
    share, threshold = record.params.get("cut.share_below"), record.params.get("cut.threshold")
    if share is None or threshold is None:
        return ""
    text = f"{percent(float(share))} of BatchNorm's gammas below {float(threshold):g}"
    if record.params.get("cut.to_ratio"):
        text += ", too few: pruned to its ratio instead"
    emptied = record.params.get("cut.emptied")
    return f"{text}, all of {_some(str(emptied).split(', '))} (the fewest channels kept)" if emptied else text


def _some(names: Sequence[str]) -> str:
    """Return the first names and the number of the others; the run's output and the database have all."""
    if len(names) <= MAX_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MAX_NAMED])} and {len(names) - MAX_NAMED} more layers"


def over_limit(name: str, by: float) -> str:
    """Return `0.22 ms over the limit`; names the quantity if its unit does not tell it."""
    unit = f" {LATENCY_MS.unit} over the limit" if name == LATENCY_MS.name else f" over its {name} limit"
    return significant(by) + unit


def broken_files(record: TrialRecord) -> list[str]:
    """Return `int8 broken: mAP50-95 0.021 of the file, 0.512 of the network` for each precision that ruins it."""
    whole = record.value(MAP50_95.name)
    if whole is None or whole < LEAST_ACCURACY:
        return []
    found = {precision: record.value(each.name) for precision, each in FILE_ACCURACIES.items()}
    return [
        f"{precision} broken: {MAP50_95.title} {score(value)} of the file, {score(whole)} of the network"
        for precision, value in found.items()
        if value is not None and value < BROKEN_SHARE * whole
    ]


def _ending(record: TrialRecord) -> str:
    """Return `rejected before training: <reason>`, with the ending only once."""
    word = OUTCOME_WORDS[record.outcome]
    reason = " ".join(record.reason.split())
    if record.outcome is Outcome.DUPLICATE:
        return reason.replace("duplicate of", SAME_AS, 1) or word
    reason = reason.replace("stopped at", f"{word} at", 1) if reason.startswith("stopped at") else reason
    return reason if reason.startswith(word) else f"{word}: {reason}" if reason else word
