"""One thread for each process of a benchmark: several processes with two threads each take five times as long."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def use_one_thread() -> None:
    """Limit this process to one thread from now on."""
    torch.set_num_threads(1)
    threadpool_limits(1)
