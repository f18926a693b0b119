"""The console that the commands print on. Text that it is given stays text, whatever characters it holds."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from spaces.shown import shown_lines

PLAIN_WIDTH = 140
"""Width, in characters, of a table that is written to a file or a pipe."""


class ShownConsole(Console):
    """Console of rich: it reads no markup, and all that it prints passes `shown_lines`. Its own control codes remain.

    Args:
        stream: Standard output by default.
        width: Width in characters; that of the terminal by default.
        soft_wrap: Whether lines that are longer than the terminal is wide are left to it.
    """

    def __init__(self, stream: TextIO | None = None, *, width: int | None = None, soft_wrap: bool = True) -> None:
        super().__init__(file=stream, width=width, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the parts that are printed, made visible."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(shown_lines(segment.text), segment.style)


def table_console(stream: TextIO | None = None) -> ShownConsole:
    """Return a console as wide as the terminal, or `PLAIN_WIDTH` wide if the stream is a file or a pipe.

    Args:
        stream: Standard output by default.
    """
    stream = stream or sys.stdout
    return ShownConsole(stream, width=None if stream.isatty() else PLAIN_WIDTH, soft_wrap=False)
