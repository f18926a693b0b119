"""The console that the commands print their tables on."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

PLAIN_WIDTH = 140
"""Width, in characters, of a table that is written to a file or a pipe."""


def table_console(stream: TextIO | None = None) -> Console:
    """Return a console as wide as the terminal, or `PLAIN_WIDTH` wide if the stream is a file or a pipe.

    Args:
        stream: Standard output by default.
    """
    stream = stream or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH, highlight=False)
