"""Networks that can be built: parameters -> ArchSpec -> Candidate. Imports nothing from the layers above.

`import spaces` is enough: `spaces.parent.Parent.load(...)`, `spaces.checkpoint.save(...)`, `spaces.graft.graft(...)`.
Modules are imported when they are first used, so that a command line which needs no network does not import torch.
"""

import importlib
from types import ModuleType

_PUBLIC = {
    "base": "spaces.base",
    "channels": "spaces.search_spaces.channels",
    "checkpoint": "spaces.networks.checkpoint",
    "graft": "spaces.networks.graft",
    "importance": "spaces.ranking.importance",
    "parent": "spaces.networks.parent",
    "show": "spaces.show",
    "uniform": "spaces.allocation.uniform",
}
"""Names for use from Python, and the modules they stand for: users need not know the wings."""


def __getattr__(name: str) -> ModuleType:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'spaces' has no attribute '{name}'")
    return importlib.import_module(_PUBLIC[name])
