"""Markdown of the result pages: tables, and the notes at a page's end, which people write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

NOTES_HEADING = "## Notes"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def read_notes(page: Path) -> str:
    """Return the notes at the end of a page; empty if there is no page yet."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return text.partition(NOTES_HEADING + "\n")[2].strip()


def page_text(blocks: Sequence[str], notes: str) -> str:
    """Return a whole page: generated blocks, then the notes."""
    return "\n\n".join([*blocks, NOTES_HEADING, notes or "None yet."]) + "\n"
