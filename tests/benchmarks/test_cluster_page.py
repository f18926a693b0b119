"""The page of the studies on a cluster, from made-up figures."""

from __future__ import annotations

from benchmarks.cluster.page import cluster_blocks
from benchmarks.setup.markdown import page_text, read_notes
from benchmarks.setup.results import ResultsFile
from tests.tree import ROOT


def test_each_figure_stands_in_its_table() -> None:
    found: dict[str, dict[str, object]] = {
        "jobs | disturbed": {
            "trials": 12,
            "asked": 12,
            "seconds": 600.0,
            "tried": {"time limit": 5, "preemption of all jobs": 2, "jobs preempted": 7},
            "lost": 0,
            "twice": 0,
            "stuck": [],
            "failed": [],
            "report": True,
            "jobs": {"COMPLETED": 4, "CANCELLED": 1},
            "restarts": 12,
        },
        "herd | 48": {"workers": 48, "errors": 0, "median_s": 20.7, "last_s": 26.24, "connections": 63},
        "rate | SQLite | 1": {"workers": 1, "trials": 160, "per_s": 22.24},
        "rate | PostgreSQL | 1": {"workers": 1, "trials": 160, "per_s": 10.7},
    }
    text = "\n".join(cluster_blocks(found))
    for line in (
        "| disturbed | 4 completed 1 cancelled | 12 of 12 | 7 | 0 | 0 | 0 | 0 | written | 10.0 |",
        "| jobs preempted | 7 |",
        "| jobs begun again by Slurm | 12 |",
        "| 48 | 0 | 20.7 | 26.2 | 63 |",
        "| workers | SQLite | PostgreSQL |",
        "| 1 | 22.2 | 10.7 |",
    ):
        assert line in text


def test_the_page_is_what_its_figures_give() -> None:
    page = ROOT / "docs/results/cluster.md"
    figures = ResultsFile(page.with_suffix(".jsonl")).read()
    assert page_text(cluster_blocks(figures), read_notes(page)) == page.read_text()


def test_what_was_not_measured_has_no_table() -> None:
    assert [block.splitlines()[0] for block in cluster_blocks({})[2:]] == []
