"""Access to the process's global random generators for code that seeds or uses them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def own_randomness() -> Iterator[None]:
    """Restore the global generators at the end: inside, any of them may be seeded (Ultralytics does)."""
    plain, numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(numpy)
