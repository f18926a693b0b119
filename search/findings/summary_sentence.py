"""One sentence about a study: its search against the networks made by hand, at one speed, and what the search cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from objectives.quantities import LATENCY_MS, VAL
from search.findings.leaderboard import parent_of
from search.findings.training_noise import ASSUMED_NOISE, training_noise
from search.record.ancestors import joined_lines
from search.record.copied import TRIAL
from search.record.latency_text import measured_ms
from search.record.number_text import score, significant
from search.record.trial import COPIED, Outcome, TrialRecord
from search.study.file_objectives import accuracy_aimed_at
from search.study.rows import BEST_F1, PARENT_NAME

MIN_SPEED_UP = 1.5
"""Minimum speed, in multiples of the parent's, of the network by hand that the sentence compares with."""
CLEARLY_FASTER = 1.05
"""Minimum ratio of the speeds of two networks of which one is called faster: sessions differ by less."""
TEST = "test"
"""Split that confirms a difference: networks are chosen on val."""


class Contender(NamedTuple):
    """A network with both figures: mAP50-95 on val and, if it was scored there, on test, and its measured latency."""

    record: TrialRecord
    accuracy: float
    ms: float
    on_test: float | None = None

    @property
    def upper_ms(self) -> float:
        """Upper end of the 95 % interval of its latency: a network below it counts as no slower."""
        high = getattr(self.record.measurement(LATENCY_MS.name), "high", None)
        return self.ms if high is None else max(self.ms, high)


@dataclass(frozen=True)
class Comparison:
    """The best network of the search and the best by hand at one speed.

    Attributes:
        limit_ms: Latency that neither of the two is above.
        found: The most accurate network of the search; None if none is that fast.
        tie_below: Difference below which the two are equal.
    """

    limit_ms: float
    by_hand: Contender
    found: Contender | None
    tie_below: float

    @property
    def on_val(self) -> float | None:
        """Accuracy of the search's network minus that by hand on val, where both were chosen; None if there is none."""
        return None if self.found is None else self.found.accuracy - self.by_hand.accuracy

    @property
    def on_test(self) -> float | None:
        """The same on the test split; None if one of the two has no such figure."""
        ours = None if self.found is None else self.found.on_test
        theirs = self.by_hand.on_test
        return None if ours is None or theirs is None else ours - theirs

    @property
    def result(self) -> str:
        """`better`, `tie` or `worse`: on test if there is one. A search without a network that fast is worse."""
        difference = self.on_val if self.on_test is None else self.on_test
        return "worse" if difference is None else self.word(difference)

    def word(self, difference: float) -> str:
        """Return the result of a difference."""
        return "tie" if abs(difference) < self.tie_below else "better" if difference > 0 else "worse"


def summary_sentence(records: Sequence[TrialRecord], definition: Mapping[str, Any]) -> str:
    """Return how the search compares with the networks by hand; empty without trials, rows by hand, or latencies.

    The networks by hand alone choose the speed: that of the most accurate one with at least `MIN_SPEED_UP` times the
    parent's speed, or of the fastest one if none is as fast. At this latency the most accurate network of the search
    and the most accurate one by hand are compared, both chosen on val; the test split scores the same two. A network
    is no slower than another one if its latency is below the upper end of the other's 95 % interval. Then comes how
    fast the search is at the accuracy of that network by hand, if it is clearly faster. The last part counts the
    results at the speed of each network by hand that no other one by hand beats in both figures: on test if there is
    one, else on val.

    By hand are donors and controls; of the search are trials, copies of trials and what was trained on from them.
    Differences below the noise of training are a tie. Accuracy is that of files in a study that aims at theirs.

    Args:
        records: The study's, with the latencies that follow from its newest confirmation.
        definition: The study's definition as plain values.
    """
    parent = parent_of(records)
    accuracy = accuracy_aimed_at(definition.get("objectives") or ())
    by_hand = _contenders([each for each in records if _is_by_hand(each) and each is not parent], accuracy)
    found = _contenders([each for each in records if _is_of_search(each)], accuracy)
    parent_ms = None if parent is None else measured_ms(parent)
    rows = [each for each in by_hand if parent_ms is None or each.ms < parent_ms]
    if not rows or not found:
        return ""
    noise = training_noise(records)
    tie_below = ASSUMED_NOISE if noise is None else noise.least_meaningful
    measured = "" if noise is None else f"two trainings differ by {score(noise.typical)}, so "
    main = _compare(_speed_row(rows, parent_ms), by_hand, found, tie_below)
    uniform = _uniform_row([each for each in by_hand if each.record.name in _uniform(definition)], main.limit_ms)
    counts = Counter(_compare(row, by_hand, found, tie_below).result for row in _front(rows))
    parts = [
        _figures(main, uniform, parent_ms),
        _on_test(main),
        _as_accurate(main, found, parent_ms),
        measured + f"differences below {tie_below:g} are a tie",
        _cost_text(records, parent, definition, main.by_hand.record),
        _counts_text(counts),
    ]
    return "; ".join(part for part in parts if part)


def search_epochs(records: Sequence[TrialRecord], donors: Collection[str]) -> int:
    """Return the epochs after the parent that the search took: of donors, trials, and all that trials began with.

    Each training counts once. Repeated trainings do not count, and of the controls only those that trials began with.
    """
    rows = [each for each in records if each.name in donors and not each.name.endswith(BEST_F1)]
    before = joined_lines(*(row.line for row in rows), *(each.ancestors for each in _trained(records)))
    return sum(each.epochs for each in before if not each.name.startswith(TRIAL)) + _trial_epochs(records)


def _trial_epochs(records: Sequence[TrialRecord]) -> int:
    return sum(each.epochs for each in _trained(records))


def _trained(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the study's own trials and what was trained on from them."""
    return [each for each in records if _is_of_search(each) and not each.is_copied]


def _is_of_search(record: TrialRecord) -> bool:
    return (record.name.startswith(TRIAL) or COPIED in record.name) and not record.is_repeated


def _is_by_hand(record: TrialRecord) -> bool:
    return record.is_reference and not _is_of_search(record) and not record.is_repeated


def _contenders(records: Sequence[TrialRecord], name: str) -> list[Contender]:
    """Return the complete records within the limits that have both figures."""
    complete = [each for each in records if each.outcome is Outcome.COMPLETE and each.feasible]
    return [
        Contender(each, accuracy, ms, each.value(name, TEST))
        for each in complete
        if (accuracy := each.value(name)) is not None and (ms := measured_ms(each)) is not None
    ]


def _speed_row(rows: Sequence[Contender], parent_ms: float | None) -> Contender:
    """Return the network by hand whose speed the sentence is about."""
    fast = [each for each in rows if parent_ms is None or each.ms * MIN_SPEED_UP <= parent_ms]
    return max(fast, key=lambda each: (each.accuracy, -each.ms)) if fast else min(rows, key=lambda each: each.ms)


def _front(rows: Sequence[Contender]) -> list[Contender]:
    """Return the rows that no other one is at least as good as in both figures."""
    kept: list[Contender] = []
    for each in sorted(rows, key=lambda row: (row.ms, -row.accuracy)):
        if not kept or each.accuracy > kept[-1].accuracy:
            kept.append(each)
    return kept


def _compare(row: Contender, by_hand: Sequence[Contender], found: Sequence[Contender], tie_below: float) -> Comparison:
    limit = row.upper_ms
    return Comparison(limit, _most_accurate(by_hand, limit) or row, _most_accurate(found, limit), tie_below)


def _most_accurate(contenders: Sequence[Contender], limit_ms: float) -> Contender | None:
    """Return the most accurate network on val that is not slower than a limit."""
    fast = [each for each in contenders if each.ms <= limit_ms]
    return max(fast, key=lambda each: (each.accuracy, -each.ms), default=None)


def _uniform_row(rows: Sequence[Contender], limit_ms: float) -> Contender | None:
    """Return the most accurate uniform network that is fast enough, otherwise the fastest one."""
    return _most_accurate(rows, limit_ms) or min(rows, key=lambda each: each.ms, default=None)


def _uniform(definition: Mapping[str, Any]) -> set[str]:
    """Return the names of the rows whose layers are all made thinner by one ratio, from the parent's weights."""
    rows = [*(definition.get("donors") or ()), *(definition.get("controls") or ())]
    return {
        row["name"]
        for row in rows
        if row.get("from", row.get("source")) == PARENT_NAME and row.get("cut", "uniform") == "uniform"
    }


def _figures(main: Comparison, uniform: Contender | None, parent_ms: float | None) -> str:
    """Return `at 1.9x the parent's speed: search 0.918 (trial 7), best by hand 0.890 (taylor-2): 0.028 above`."""
    hand, found = main.by_hand, main.found
    speed = _speed(hand.ms, parent_ms) + ("" if parent_ms is None else " the parent's speed")
    others = f"best by hand {_named(hand)}"
    if uniform is not None and uniform.record is not hand.record:
        own_speed = "" if uniform.ms <= main.limit_ms else f" at {_speed(uniform.ms, parent_ms)}"
        others += f", uniform {_named(uniform)}{own_speed}"
    if found is None or main.on_val is None:
        return f"at {speed}: no network of the search is as fast; {others}"
    words = {"better": "above", "worse": "below"}
    word = words.get(main.word(main.on_val))
    ending = "a tie" if word is None else f"the search is {score(abs(main.on_val))} {word} the best by hand"
    return f"at {speed}: search {_named(found)}, {others}: {ending}"


def _speed(ms: float, parent_ms: float | None) -> str:
    return f"{significant(ms)} ms" if parent_ms is None else f"{parent_ms / ms:.1f}x"


def _named(contender: Contender) -> str:
    return f"{score(contender.accuracy)} ({contender.record.name})"


def _on_test(main: Comparison) -> str:
    """Return `test: search +0.030`, `test: a tie (+0.003)`, or nothing if there is no such split."""
    difference = main.on_test
    if difference is None:
        return f"only {VAL} was scored, where both were chosen" if main.found is not None else ""
    signed = f"{difference:+.3f}"
    return f"{TEST}: a tie ({signed})" if main.word(difference) == "tie" else f"{TEST}: search {signed}"


def _as_accurate(main: Comparison, found: Sequence[Contender], parent_ms: float | None) -> str:
    """Return `as accurate as taylor-1 at 2.3x: 0.921 (trial 9)`, or nothing if the search is hardly faster there."""
    equal = [each for each in found if each.accuracy >= main.by_hand.accuracy]
    fastest = min(equal, key=lambda each: each.ms, default=None)
    if fastest is None or fastest.ms * CLEARLY_FASTER > main.by_hand.ms:
        return ""
    return f"as accurate as {main.by_hand.record.name} at {_speed(fastest.ms, parent_ms)}: {_named(fastest)}"


def _cost_text(
    records: Sequence[TrialRecord], parent: TrialRecord | None, definition: Mapping[str, Any], by_hand: TrialRecord
) -> str:
    """Return `the search cost 3.8 trainings of the parent, taylor-2 0.3`, or epochs if the study trained no parent."""
    copied_from = definition.get("copied_from")
    if copied_from:
        return f"{_trial_epochs(records)} epochs were trained for this target, the rest in {copied_from}"
    epochs = search_epochs(records, [row["name"] for row in definition.get("donors") or ()])
    if parent is None or not parent.epochs:
        return f"the search cost {epochs} epochs, {by_hand.name} cost {by_hand.line_epochs}"
    ours, theirs = epochs / parent.epochs, by_hand.line_epochs / parent.epochs
    return f"the search cost {ours:.1f} trainings of the parent, {by_hand.name} cost {theirs:.1f}"


def _counts_text(counts: Counter[str]) -> str:
    """Return `at all 5 speeds by hand: 2 better, 2 ties, 1 worse`; nothing if there is only one speed."""
    if counts.total() < 2:
        return ""
    ties = "tie" if counts["tie"] == 1 else "ties"
    words = (("better", "better"), ("tie", ties), ("worse", "worse"))
    found = ", ".join(f"{counts[result]} {word}" for result, word in words if counts[result])
    return f"at all {counts.total()} speeds by hand: {found}"
