"""The command `yolofront`, and the same from Python: `yolofront.run` and `yolofront.open`.

A module is imported when a name of it is first used, so that the list of commands imports no command.
"""

import importlib
from typing import Any

_PUBLIC = {
    "Result": ("yolofront.result", "Result"),
    "RunError": ("yolofront.studies", "RunError"),
    "open": ("yolofront.studies", "open_study"),
    "run": ("yolofront.studies", "run"),
}
"""Names for use from Python: the module and the name there that each stands for. `__init__.pyi` tells type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'yolofront' has no attribute '{name}'")
    module, own_name = _PUBLIC[name]
    return getattr(importlib.import_module(module), own_name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
