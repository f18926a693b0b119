"""Words that every page, table and log line uses for the same thing. Stored values stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from search.record.trial import Outcome, TrialRecord, trained_accuracy

FRONT_MARK = "●"
NAME_HEAD, NOTE_HEAD = "name", "note"
SPEED_UP = "speed-up"
"""Heading of the parent's latency divided by the network's own."""
NOW_ON_FRONT = "now on the Pareto front"
BEST_BY_F1 = "also best by F1"
"""Note of a row whose last epoch is also the one with the best F1."""
SAME_AS = "same network as"
"""Begins the note of a trial whose network, weights and training were there before; an earlier trial follows."""

OUTCOME_WORDS: Mapping[Outcome, str] = {
    Outcome.COMPLETE: "complete",
    Outcome.STOPPED: "stopped early",
    Outcome.RULED_OUT: "rejected before training",
    Outcome.FAILED: "failed",
    Outcome.DUPLICATE: "duplicate",
}
"""Endings of trials, as people read them."""
_ROLES: Mapping[str, str] = {"best": "most accurate", "knee": "best trade-off (knee)"}


def role_text(role: str) -> str:
    """Return a member's role on the front in words: `most accurate` for `best`."""
    return _ROLES.get(role, role)


def roles_text(roles: Iterable[str]) -> str:
    """Return several roles in words: `most accurate, fastest`."""
    return ", ".join(map(role_text, roles))


def gain_title(records: Iterable[TrialRecord]) -> str:
    """Return the heading of the difference of accuracy to the parent: `ΔmAP50-95`, of another task `Δtop-1`."""
    return f"Δ{trained_accuracy(records).title}"
