"""The display of the workers' events."""

from __future__ import annotations

import io

from rich.console import Console

from search.record.events import DatabaseBack, DatabaseLost
from search.work.progress import Progress


def test_a_database_that_all_workers_miss_is_told_once() -> None:
    shown = io.StringIO()
    with Progress(Console(file=shown), (), 4, 0, clock=lambda: 0.0) as progress:
        for worker in (0, 1, 0):
            progress.show(worker, DatabaseLost("the database is away"))
        for worker in (1, 0):
            progress.show(worker, DatabaseBack("it answers again"))
        progress.show(1, DatabaseLost("the database is away"))
    assert shown.getvalue().split("\n") == [
        "  0:00  the database is away",
        "  0:00  it answers again",
        "  0:00  the database is away",
        "",
    ]
