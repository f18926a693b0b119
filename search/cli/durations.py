"""Durations as people write them (`8h`, `90m`) and as they read them."""

from __future__ import annotations

import re

from search.study.faults import DefinitionError

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> float:
    """Seconds of `8h`, `90m`, `1h30m`, `45s`, `2d` or a plain number of seconds.

    Raises:
        DefinitionError: If the text is no duration.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise DefinitionError(f"--timeout is '{text}'; write 8h, 90m, 1h30m or a number of seconds")
    if len(parts) > 1 and any(not unit for _, unit in parts):
        raise DefinitionError(f"--timeout is '{text}'; each part needs a unit: s, m, h or d")
    return sum(float(number) * UNITS_S[unit or "s"] for number, unit in parts)


def readable(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `5 h 12 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
