"""The page of the service's costs, from made-up figures."""

from __future__ import annotations

from benchmarks.serving.page import service_blocks


def test_each_figure_stands_in_its_table() -> None:
    found = {
        "parameters": 53,
        "trial": {"cpu_s": 0.0204, "commits": 6.03, "statements": 80.2},
        "workers": {
            "1000": {"joining": 0.5, "first suggestion": 0.6},
            "3000": {"joining": 1.5, "first suggestion": 2.1},
        },
        "polls": {"1000": {"ours": 0.0012}, "10000": {"ours": 0.014}},
        "starts": {"spaces.show": {"cpu_s": 0.12, "mib": 34.4}},
    }
    text = "\n".join(service_blocks(found))
    assert "a study has 53 parameters" in text
    for line in (
        "| each | 20 | 6.0 | 80 |",
        "| CPU-seconds | 1,000 records | 3,000 records |",
        "| first suggestion | 0.60 | 2.10 |",
        "| ours | 0.001 | 0.014 |",
        "| `spaces.show` | 0.12 | 34 |",
    ):
        assert line in text
