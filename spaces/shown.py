"""The one door out: text of any origin, made harmless for a terminal, a log file, a page, Markdown and a spreadsheet.

Text from files, databases and other machines can hold escape sequences, marks that turn its direction round, or the
syntax of what shows it. Everything that a person sees passes these functions. Standard library only: the program for
other machines (`objectives.remote`) contains this file.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import IO, TextIO

TRACEBACK = "YOLOFRONT_TRACEBACK"
"""Name of the environment variable that lets a fault of this program end in its traceback."""
LONGEST_LINE = 2000
"""Maximum number of characters of a line; further ones are counted, not shown."""
LONGEST_VALUE = 60
"""Maximum number of characters of a value that a message quotes."""
LONGEST_PATH = 400
"""Maximum number of characters of a path in a message."""

_IN_MARKDOWN = {ord(sign): f"\\{sign}" for sign in "\\`*|[]"} | {ord("<"): "&lt;", ord("&"): "&amp;"}
_BEGIN_FORMULAS = tuple("=+-@＝＋－＠")  # those of East Asian keyboards count in some spreadsheets


def shown(text: object, *, most: int | None = None) -> str:
    r"""Return text as one line of visible characters; others are written as their escape codes, such as `\x1b`.

    Args:
        most: Maximum number of characters; by default there is none.
    """
    line = str(text)
    if most is None or len(line) <= most:
        return _visible(line)
    return f"{_visible(line[:most])}... ({len(line) - most} more characters)"


def shown_lines(text: object) -> str:
    """Return text of several lines, each as `shown` makes it; tabs stay, and so does every line end."""
    return "\n".join(
        "\t".join(shown(part) for part in line.split("\t")) for line in str(text).replace("\r\n", "\n").split("\n")
    )


def shown_message(message: object) -> str:
    """Return a message as one line of at most `LONGEST_LINE` characters; the lines of a list follow each other."""
    joined = "; ".join(filter(None, (line.strip() for line in str(message).split("\n"))))
    return shown(joined.replace(":; ", ": "), most=LONGEST_LINE)


def shown_reason(error: BaseException, *, most: int = 120) -> str:
    """Return the first line of an error's text, cut; the name of its kind if it has none."""
    return shown((str(error).splitlines() or [type(error).__name__])[0] or type(error).__name__, most=most)


def shown_value(value: object) -> str:
    """Return a value for a message: short and on one line. Values that hold others are named by their kind."""
    if value is None or isinstance(value, bool | float):
        return str(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "an integer of more than 64 bits"
    if isinstance(value, str):
        return f"'{shown(value, most=LONGEST_VALUE)}'"
    kind = type(value).__name__
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


def print_line(text: object = "", *, file: TextIO | None = None) -> None:
    """Print one line, or several; standard output by default."""
    _print(shown_lines(text), file or sys.stdout)


def print_json(value: object, *, file: IO[str] | None = None) -> None:
    """Print a value as one line of JSON in ASCII; standard output by default. Infinite figures become null."""
    _print(json.dumps(_finite(value), default=str), file or sys.stdout)


def is_output_closed() -> bool:
    """Return whether the reader of standard output has gone; nothing is written to it from then on."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        return True
    return False


def print_aside(text: object) -> None:
    """Print one line on standard error, beside the results."""
    _print(shown(text), sys.stderr)


def print_over(text: object) -> None:
    """Print on standard error, a terminal, over what stands in its last line."""
    print(f"\r\033[K{shown(text)}", end="", file=sys.stderr, flush=True)


def print_error(error: object) -> None:
    """Print an error as one line on standard error."""
    _print(f"error: {shown_message(error)}", sys.stderr)


def program_fault(error: BaseException) -> str:
    """Return the message of an error that no reader expected: for its user, and how a developer sees more."""
    return f"{type(error).__name__}: {error}; a fault of this program: {TRACEBACK}=1 shows where"


def markdown_text(text: object) -> str:
    """Return text that stays text in Markdown, in a table's cell too: one line, no code, link, picture or formula."""
    return shown(" ".join(str(text).split())).translate(_IN_MARKDOWN)


def picture_text(text: object) -> str:
    """Return text that matplotlib writes as it is, and does not read as a formula."""
    return shown(text).replace("$", r"\$")


def csv_cell(value: object) -> object:
    """Return a cell of a CSV file: text that a spreadsheet would compute gets a `'` before it; numbers stay."""
    if not isinstance(value, str):
        return value
    line = shown(value)
    return f"'{line}" if line.lstrip().startswith(_BEGIN_FORMULAS) and not _is_number(line) else line


def shell_word(text: object) -> str:
    """Return text as one word of a shell's command line that is read back exactly, of visible characters only."""
    word = str(text)
    if shown(word) == word:
        return shlex.quote(word)
    codes = (chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in _bytes_of(word))
    return f"$'{''.join(codes)}'"


class ShownStream:
    """A text stream whose lines pass `shown_lines`: for the log of a process in which libraries print, too.

    A line that a progress bar writes over another one becomes a line of its own.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; returns how many characters of it were written, as streams do."""
        self._stream.write(shown_lines(text.replace("\r\n", "\n").replace("\r", "\n")))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _print(text: str, stream: IO[str]) -> None:
    """Print text; what the stream's encoding does not have is written as codes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if _is_visible(char) else _code_of(char) for char in text)


def _is_visible(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _code_of(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")  # the bytes of a file's name
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
