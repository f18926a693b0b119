"""Names of records as people write them: `trial 7` is also `trial-7`, `trial7`, `Trial_7` and `7`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_TRIAL = re.compile(r"(?:trial[ _#-]*)?(\d+)", re.IGNORECASE)
_LONE_NUMBER = re.compile(r"\d+")


def trial_number(text: str) -> int | None:
    """Return the number of a trial, written as a number or as its name in any of its forms; None if it is neither."""
    found = _TRIAL.fullmatch(text.strip())
    return None if found is None else int(found[1])


def meant_name(text: str, known: Iterable[str]) -> str | None:
    """Return the name among the known ones that a text means; None if it means none of them.

    A name as it is comes before the number of a trial, and that before a name in other letters.
    """
    names = list(known)
    if text in names:
        return text
    number = trial_number(text)
    if number is not None and f"trial {number}" in names:
        return f"trial {number}"
    return next((name for name in names if _plain(name) == _plain(text)), None)


def joined_names(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with `trial` and a number behind it as one name: they were not quoted."""
    names: list[str] = []
    for word in words:
        before = names[-1] if names else ""
        if before.rpartition("/")[2].lower() == "trial" and _LONE_NUMBER.fullmatch(word):
            names[-1] = f"{before} {word}"
        else:
            names.append(word)
    return names


def _plain(name: str) -> str:
    """Return a name without its case, and with one mark in place of spaces, dashes and underscores."""
    return re.sub(r"[ _-]+", "-", name.strip().lower())
