"""The stored table of variants: its rows, and the sensitivity of the parent that they were cut from."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.setup.results import read_json_lines
from spaces.allocation.summed_sensitivity import SummedSensitivity

TABLE = Path(__file__).parents[1] / "tables" / "digits"
ROWS_FILE = "variants.jsonl.gz"
SENSITIVITY_FILE = "halved.json"
NETWORKS_FOLDER = "networks"
MIN_RATIO = 0.25
"""Minimum ratio of a channel group."""


def read_rows(table: Path) -> list[dict[str, Any]]:
    """Return the rows of a table by number; none if there is no table."""
    file = table / ROWS_FILE
    if not file.exists():
        return []
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]


def read_sensitivity(table: Path) -> tuple[SummedSensitivity, float]:
    """Return the loss increase when each group of the parent is halved, and the seconds of that measurement."""
    found = json.loads((table / SENSITIVITY_FILE).read_text(encoding="utf-8"))
    return SummedSensitivity(whole=found["whole"], ties=found["ties"], halved=found["halved"]), found["seconds"]


def add_results(out: Path, table: Path) -> int:
    """Add the finished results under `out`, and the networks they were made from, to a table.

    Returns:
        The number of rows.
    """
    table.mkdir(parents=True, exist_ok=True)
    rows = {row["number"]: row for row in read_rows(table)}
    found = [entry for file in sorted(out.glob("variants-*.jsonl")) for entry in read_json_lines(file)]
    for entry in sorted(found, key=lambda each: each["key"].startswith("repeat")):
        if entry["key"] == SENSITIVITY_FILE:
            del entry["key"]
            (table / SENSITIVITY_FILE).write_text(json.dumps(_round(entry)) + "\n", encoding="utf-8")
            continue
        kind, number, *seed = entry.pop("key").split()
        if kind == "variant":
            curve = entry.pop("curve")
            row = rows.setdefault(int(number), {"number": int(number), **entry, "curves": {}})
            row["curves"].setdefault("0", curve)
        elif int(number) in rows:
            rows[int(number)]["curves"][seed[0]] = entry["curve"]
    text = "".join(json.dumps(_round(rows[number])) + "\n" for number in sorted(rows))
    (table / ROWS_FILE).write_bytes(gzip.compress(text.encode(), mtime=0))
    if not (table / NETWORKS_FOLDER).exists():
        shutil.copytree(out / NETWORKS_FOLDER, table / NETWORKS_FOLDER)
    return len(rows)


def _round(value: Any) -> Any:
    """Round to five digits: no figure is more exact than that."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _round(each) for name, each in value.items()}
    return [_round(each) for each in value] if isinstance(value, list) else value
