"""The runtimes by name. A new one is one file and one line here."""

from __future__ import annotations

from difflib import get_close_matches

from objectives.runtimes.base import Runtime
from objectives.runtimes.ort import OnnxRuntime
from objectives.target import TargetError

RUNTIMES: dict[str, Runtime] = {runtime.name: runtime for runtime in (OnnxRuntime(),)}


def runtime_named(name: str) -> Runtime:
    """The runtime of that name.

    Raises:
        TargetError: If there is none.
    """
    if name in RUNTIMES:
        return RUNTIMES[name]
    near = get_close_matches(name, RUNTIMES, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(RUNTIMES)}"
    raise TargetError(f"target: there is no runtime '{name}'; {hint}")
