"""A run writes what its workers do into the database, whatever its main thread waits for."""

from __future__ import annotations

import time
from pathlib import Path

from search.record.events import Activity, BatchDone
from search.store.base import Store
from search.store.runs.register import RunEntry
from search.store.sql import open_store
from search.work.signs_of_life import SignsOfLife

ENTRY = RunEntry(study="nas_head", generation=1, host="here", pid=7, started=1.5)


def doing(store: Store) -> tuple[str, ...]:
    (run,) = store.runs("nas_head", 1)
    return run.entry.doing


def test_signs_tell_of_trial_and_epoch_until_the_run_ends(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/a.db")
    with SignsOfLife(store, ENTRY, every_s=0.05) as signs:
        assert doing(store) == (), "it is registered at once"
        signs.note(1, Activity("training round-1"))
        signs.note(0, Activity("trial 3: training", 3))
        signs.note(0, BatchDone(2, 10, 1, 5))
        expected = ("trial 3: training, epoch 2 of 10", "training round-1")
        until = time.monotonic() + 30
        while doing(store) != expected and time.monotonic() < until:
            time.sleep(0.02)
        assert doing(store) == expected
        signs.end("interrupted")
    (run,) = store.runs("nas_head", 1)
    assert run.entry.why == "interrupted"
    store.close()
