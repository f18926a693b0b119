"""Advice for the sampler that is written in a transaction of ours: rows of Optuna's tables, in the same database.

A trial costs two commits less, and a kill leaves no trial that is stored here and unknown there. Advice is no truth:
where its tables are absent or broken, the rest of the transaction is stored without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Advice:
    """Rows to write in a transaction.

    Attributes:
        write: Writes them over the connection that it gets, and returns whether it could. It may be called again, after
            a transaction that was not committed.
        is_written: True if they were written in the last transaction.
    """

    write: Callable[[Any], bool]
    is_written: bool = False
