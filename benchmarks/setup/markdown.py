"""Markdown of the result pages: tables, and the notes at a page's end, which people write."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

NOTES_HEADING = "## Notes"
LINE_WIDTH = 120


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def wrap_markdown(text: str) -> str:
    """Wrap paragraphs and list items, which a line break may interrupt anywhere; blank lines separate paragraphs."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\n|\n(?=- )", text.strip())]
    wrapped = [
        textwrap.fill(
            block,
            LINE_WIDTH,
            subsequent_indent="  " if block.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for block in blocks
    ]
    text = "\n\n".join(wrapped)
    return re.sub(r"(?m)^(- .*(?:\n  .*)*)\n\n(?=- )", r"\1\n", text)


def read_notes(page: Path) -> str:
    """Return the notes at the end of a page; empty if there is no page yet."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return text.partition(NOTES_HEADING + "\n")[2].strip()


def page_text(blocks: Sequence[str], notes: str) -> str:
    """Return a whole page: generated blocks, then the notes."""
    return "\n\n".join([*blocks, NOTES_HEADING, notes or "None yet."]) + "\n"
