"""The first worker makes the sampler's tables and its study alone; of those that come later a few open them at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from search.store.base import Store, StudyEntry
from search.store.outage.among_all import once_among_all

_SAMPLER_IS_THERE = "sampler"
"""Name of a study's frozen fact: it is in Optuna's tables."""
AT_ONCE = 4
"""Number of workers that open the tables at once: each takes two further connections while it does."""


@contextmanager
def sampler_tables(store: Store, study: StudyEntry, index: int) -> Iterator[None]:
    """Open Optuna's side of a study within this block: the first worker alone, since it makes tables and study.

    Args:
        index: Number of the worker.
    """

    def is_there() -> bool:
        stored = store.latest_study(study.name)
        return stored is not None and stored.id == study.id and _SAMPLER_IS_THERE in stored.frozen

    with once_among_all(store, "optuna tables", is_there) as is_mine:
        if is_mine:
            yield
            store.freeze(study, {_SAMPLER_IS_THERE: True})
            return
    with store.exclusive(f"optuna tables {index % AT_ONCE}"):
        yield
