"""Write a comparison: one self-contained page, its table as Markdown and CSV, its pictures as PNG."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from objectives.base import Direction
from objectives.quantities import LATENCY_MS
from search.findings.columns import columns_of
from search.findings.comparison import Difference
from search.findings.formats import csv_text, markdown, splits_of
from search.findings.leaderboard import leaderboard
from search.pages.page import render
from search.pictures.curves import channel_picture, confidence_picture, learning_picture, sizes_picture
from search.record.latency_text import legend
from search.record.trial import TrialRecord, trained_accuracy
from search.record.words import gain_title
from spaces.durable import write_bytes, write_text
from spaces.shown import markdown_text

MAX_WIDTHS = 8
"""Maximum number of records whose widths are drawn, each in its own picture."""


def write_comparison(
    folder: Path, records: Sequence[TrialRecord], found: Sequence[Difference] = ()
) -> tuple[Path, ...]:
    """Write `comparison.html`, `comparison.md`, `comparison.csv` and the pictures; each replaces the one before.

    Args:
        found: The differences, if two records are compared.

    Returns:
        The files' paths, the page first.

    Raises:
        OSError: If the folder cannot be written.
    """
    splits = splits_of(records)
    columns = columns_of(records, at_best_f1=True)
    objectives = ((trained_accuracy(records).name, Direction.MAXIMIZE), (LATENCY_MS.name, Direction.MINIMIZE))
    rows = {split: leaderboard(records, objectives=objectives, split=split, at_best_f1=True) for split in splits}
    pictures = _pictures(records, splits)
    page = render(
        "comparison.html",
        records=records,
        columns=columns,
        gain=gain_title(records),
        legend=legend(records),
        tables=rows,
        differences=found,
        pictures=[(title, base64.b64encode(image).decode()) for title, image in pictures.values()],
    )
    tables = "\n".join(f"## {markdown_text(split)}\n\n{markdown(each, columns)}" for split, each in rows.items())
    return (
        write_text(folder / "comparison.html", page),
        write_text(folder / "comparison.md", f"# Comparison\n\n{tables}"),
        write_text(folder / "comparison.csv", csv_text(rows[splits[0]], splits)),
        *(_write(folder / f"{name}.png", image) for name, (_, image) in pictures.items()),
    )


def _write(path: Path, image: bytes) -> Path:
    return write_bytes(path, image)


def _pictures(records: Sequence[TrialRecord], splits: Sequence[str]) -> Mapping[str, tuple[str, bytes]]:
    """Return title and picture by file name, without pictures that have nothing to show."""
    wanted: dict[str, tuple[str, bytes | None]] = {
        f"curves-{split}": (f"Precision, recall and F1 ({split})", confidence_picture(records, split))
        for split in splits
    }
    wanted["learning"] = ("Learning curves", learning_picture(records))
    wanted["sizes"] = ("Sizes", sizes_picture(records))
    cut = [record for record in records if record.spec is not None and not record.spec.is_whole]
    for number, record in enumerate(cut[:MAX_WIDTHS]):
        wanted[f"widths-{number}"] = ("Channels kept" if number == 0 else "", channel_picture(record))
    return {name: (title, image) for name, (title, image) in wanted.items() if image is not None}
