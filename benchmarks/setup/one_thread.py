"""One thread for each process of a benchmark: several that calculate with two each take five times as long."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def one_thread() -> None:
    """For this process, from now on."""
    torch.set_num_threads(1)
    threadpool_limits(1)
