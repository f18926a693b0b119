"""The console that the commands print on. Text that it is given stays text, whatever characters it holds."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from spaces.shown import shown_lines

PLAIN_WIDTH = 140
"""Width, in characters, of a table that is written to a file or a pipe."""
MOST_WIDTH = 200
"""Maximum width of a table in characters."""


class ShownConsole(Console):
    """Console of rich: it reads no markup, and all that it prints passes `shown_lines`. Its own control codes remain.

    Args:
        stream: Standard output by default.
        width: Width in characters; that of the terminal by default.
        soft_wrap: Whether lines that are longer than the terminal is wide are left to it.
    """

    def __init__(self, stream: TextIO | None = None, *, width: int | None = None, soft_wrap: bool = True) -> None:
        super().__init__(
            file=stream,
            width=width,
            soft_wrap=soft_wrap,
            markup=False,
            emoji=False,
            highlight=False,
            # In a notebook rich would show each line apart, and its standard output says that it is a terminal.
            force_jupyter=False,
            force_terminal=False if Console().is_jupyter else None,
        )

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the parts that are printed, made visible."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(shown_lines(segment.text), segment.style)


def table_console(stream: TextIO | None = None, *, width: int | None = None) -> ShownConsole:
    """Return a console as wide as the terminal, at most `MOST_WIDTH`.

    Args:
        stream: Standard output by default.
        width: Width in characters. By default that of the terminal; of a file or a pipe, the environment variable
            COLUMNS, or `PLAIN_WIDTH`.
    """
    stream = stream or sys.stdout
    if width is None:
        fallback = (PLAIN_WIDTH, 25)
        is_terminal = stream.isatty()
        width = Console(file=stream).width if is_terminal else shutil.get_terminal_size(fallback).columns
    return ShownConsole(stream, width=min(width, MOST_WIDTH), soft_wrap=False)
