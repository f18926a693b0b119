"""The command `yolofront`, and the same from Python: `yolofront.run` and `yolofront.open`.

A module is imported when its name is first used, so that the list of commands imports no command.
"""

import importlib
from typing import Any

_PUBLIC = {"run": "run", "open": "open_study", "Result": "Result"}
"""Names for use from Python, and what they stand for in `yolofront.api`."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'yolofront' has no attribute '{name}'")
    return getattr(importlib.import_module("yolofront.api"), _PUBLIC[name])
