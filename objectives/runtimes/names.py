"""Short names of targets of latency: `ort-cpu`, `openvino-cpu-int8`, `torch-compiled-cpu`."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from objectives.device.target import TargetError
from objectives.runtimes.catalogue import RUNTIMES
from spaces.suggestion import did_you_mean

USUAL_PRECISION = "fp32"


class NamedTarget(NamedTuple):
    """Content of a target's name: a runtime, one of its providers and one of its precisions."""

    runtime: str
    provider: str
    precision: str


def name_of(runtime: str, provider: str, precision: str = USUAL_PRECISION) -> str:
    """Return the short name, which leaves out the usual precision: `ort-cpu`, `ort-cpu-int8`.

    Args:
        runtime: Name of a runtime. It may be unknown: a study's definition is read before it is checked.
    """
    known = RUNTIMES.get(runtime)
    short = runtime if known is None or not known.short_name else known.short_name
    return "-".join([short, provider, *([] if precision == USUAL_PRECISION else [precision])])


@cache
def target_names() -> dict[str, NamedTarget]:
    """Return all names with their meaning, including targets that cannot be measured here."""
    return {
        name_of(runtime.name, provider, precision): NamedTarget(runtime.name, provider, precision)
        for runtime in RUNTIMES.values()
        for provider in runtime.providers
        for precision in runtime.precisions
    }


def target_named(name: str) -> NamedTarget:
    """Return the target with that name.

    Raises:
        TargetError: If there is no such name; the message contains the most similar ones.
    """
    known = target_names()
    if name in known:
        return known[name]
    raise TargetError(f"there is no target '{name}'; {did_you_mean(name, known, most=3)}")
