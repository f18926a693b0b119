"""Short forms in a study's YAML and on the command line, written in full: both ways give the same definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objectives.device.target import TargetError
from objectives.runtimes.names import target_named, target_names
from search.study.faults import FieldFault, unknown_key


def in_full(plain: dict[str, Any]) -> dict[str, Any]:
    """Write `data: digits` and `target: ort-cpu` in full, so that `data.imgsz` and `target.threads` can be set."""
    data, target = plain.get("data"), plain.get("target")
    if isinstance(data, str):
        plain = {**plain, "data": {"source": data}}
    if isinstance(target, str) and target in target_names():  # any other is refused with the whole definition
        plain = {**plain, "target": target_in_full(target)}
    return plain


def target_in_full(given: Any) -> Any:
    """A target's name as a section; whatever is no text is left to be checked as it is.

    Raises:
        FieldFault: If there is no target of that name.
    """
    if not isinstance(given, str):
        return given
    try:
        return target_named(given)._asdict()
    except TargetError as error:
        raise FieldFault("", f"is '{given}'; {error}") from None


def latency_limit_in_full(plain: Any) -> Any:
    """Write `objectives: {latency: {limit_ms: 5}}` as `limits: {latency_ms: 5}`.

    Raises:
        FieldFault: If there is another key than `limit_ms`, or `limits` says otherwise.
    """
    objectives = plain.get("objectives") if isinstance(plain, Mapping) else None
    if not isinstance(objectives, Mapping) or not isinstance(objectives.get("latency"), Mapping):
        return plain
    for key in objectives["latency"]:
        if key != "limit_ms":
            raise FieldFault(f"objectives.latency.{key}", unknown_key(str(key), ["limit_ms"]))
    limit = objectives["latency"].get("limit_ms")
    limits = plain.get("limits") or {}
    said = limits.get("latency_ms") if isinstance(limits, Mapping) else None
    if None not in (limit, said) and limit != said:
        raise FieldFault("objectives.latency.limit_ms", f"is {limit}, but limits.latency_ms is {said}; set one of them")
    rest = {name: direction for name, direction in objectives.items() if name != "latency"}
    full = {name: value for name, value in plain.items() if name != "objectives"} | (
        {"objectives": rest} if rest else {}
    )
    return (
        full
        if limit is None or not isinstance(limits, Mapping)
        else {**full, "limits": {**limits, "latency_ms": limit}}
    )
