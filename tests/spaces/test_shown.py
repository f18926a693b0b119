"""The door out: whatever text comes, what a person sees is lines of visible characters, and means nothing else."""

from __future__ import annotations

import csv
import io
import shlex
import subprocess
import unicodedata

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from rich.live import Live
from rich.table import Table
from rich.text import Text

from spaces.display.terminal import ShownConsole, table_console
from spaces.shown import (
    LONGEST_LINE,
    ShownStream,
    csv_cell,
    markdown_text,
    picture_text,
    print_error,
    print_line,
    shell_word,
    shown,
    shown_lines,
    shown_message,
    shown_value,
)

HOSTILE = "\x1b]0;PWN\x07\x1b[31m\x9b2J\u202eabc\u2066\r\b\x00\x7f\u2028\ud800\ufeff"
TEXTS = st.one_of(st.text(max_size=60), st.text(alphabet=HOSTILE + "a|`*[]<&=+-@\n\t'\"$", max_size=40))
FUZZ = settings(max_examples=500, deadline=None, derandomize=True, database=None)


def is_harmless(text: str) -> bool:
    return all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in text)


@FUZZ
@seed(18)
@given(TEXTS)
def test_nothing_that_is_shown_has_a_control_or_a_direction_of_its_own(text: str) -> None:
    for line in (shown(text), shown(text, most=7), shown_message(text), shown_value(text), markdown_text(text)):
        assert is_harmless(line)
    assert is_harmless(shown_lines(text).replace("\n", "").replace("\t", ""))
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize("text", ["plain", "Äpfel, 犬, naïve", "non-breaking\u00a0space", "a\\b", ""])
def test_text_that_is_visible_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_long_lines_are_cut_and_what_is_left_out_is_counted() -> None:
    assert shown("x" * 50, most=10) == "x" * 10 + "... (40 more characters)"
    assert len(shown_message("x" * 10**6)) < LONGEST_LINE + 50


def test_a_message_of_several_lines_becomes_one() -> None:
    assert shown_message("there are problems:\n  a: 1\n  b: 2\n") == "there are problems: a: 1; b: 2"


def test_values_in_messages_are_short() -> None:
    assert shown_value("a\x1b" * 100).startswith("'a\\x1ba") and len(shown_value("a" * 10**6)) < 100
    assert (shown_value(10**5000), shown_value([[1]]), shown_value({})) == (
        "an integer of more than 64 bits", "a list", "a dict",
    )  # fmt: skip
    assert (shown_value(None), shown_value(True), shown_value(3), shown_value(0.5)) == ("None", "True", "3", "0.5")


@FUZZ
@seed(18)
@given(TEXTS)
def test_a_table_cell_in_markdown_stays_one_cell_of_plain_text(text: str) -> None:
    cell = markdown_text(text)
    for position, char in enumerate(cell):
        if char in "|`*[]":
            before = cell[:position]
            assert (len(before) - len(before.rstrip("\\"))) % 2 == 1, cell  # escaped
    assert "<" not in cell and "\n" not in cell


@FUZZ
@seed(18)
@given(TEXTS)
def test_no_cell_of_a_csv_file_is_a_formula(text: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([csv_cell(text), "end"])
    ((cell, end),) = csv.reader(io.StringIO(buffer.getvalue()))
    assert end == "end" and is_harmless(cell)
    if cell.lstrip()[:1] in ("=", "+", "-", "@"):
        float(cell)  # else ValueError: text that a spreadsheet would compute


def test_numbers_stay_numbers_in_a_csv_file() -> None:
    assert [csv_cell(cell) for cell in (-0.5, 3, None, True, "-0.5", "+3", "1e-5")] == [
        -0.5, 3, None, True, "-0.5", "+3", "1e-5",
    ]  # fmt: skip
    assert csv_cell("=HYPERLINK(1)") == "'=HYPERLINK(1)" and csv_cell("-cmd") == "'-cmd"
    assert csv_cell("\t=1+1") == "\\t=1+1"


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@seed(18)
@given(TEXTS.filter(lambda text: "\0" not in text))
def test_a_word_for_the_shell_is_visible_and_read_back_exactly(text: str) -> None:
    word = shell_word(text)
    assert is_harmless(word)
    if word == shlex.quote(text):
        assert shlex.split(word) == [text]


def test_the_shell_reads_control_characters_back() -> None:
    hostile = "a'b\\c\x1b[31m\n\u202ed"
    printed = subprocess.run(["bash", "-c", f"printf %s {shell_word(hostile)}"], capture_output=True, timeout=10).stdout
    assert printed.decode() == hostile


def test_a_console_shows_markup_and_escape_codes_as_text() -> None:
    stream = io.StringIO()
    console = table_console(stream)
    table = Table(title=f"[bold]title{HOSTILE}")
    table.add_column(f"head{HOSTILE}")
    table.add_row(f"[/no markup]{HOSTILE}")
    table.add_row(Text(HOSTILE))
    console.print(table)
    console.print(f"[red]line :smile: [/]{HOSTILE}")
    written = stream.getvalue()
    assert is_harmless(written.replace("\n", ""))
    assert "[bold]title" in written and "[/no markup]" in written and "[red]line :smile: [/]" in written


class Terminal(io.StringIO):
    """A terminal with colours."""

    def isatty(self) -> bool:
        return True


def test_the_panel_of_a_run_shows_no_foreign_escape_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    console = ShownConsole(terminal)
    with Live(Text("doing \x1b]0;PWN\x07"), console=console):
        console.print(Text("colour", style="bold red"))
    written = terminal.getvalue()
    assert "\x1b]0;" not in written and "\x07" not in written
    assert "\x1b[1;31m" in written  # the console's own colours remain


def test_printed_lines_and_errors_and_logs_pass_the_same_door(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(HOSTILE)
    print_error(f"first\nsecond{HOSTILE}")
    log = io.StringIO()
    ShownStream(log).write(f"line\n\ttab{HOSTILE}\n")
    out, err = capsys.readouterr()
    assert is_harmless(out.rstrip("\n")) and is_harmless(err.removesuffix("\n"))
    assert err.startswith("error: first; second\\x1b")
    assert log.getvalue().startswith("line\n\ttab\\x1b]0;PWN")
    ShownStream(log).writelines(["\r 50 %", "\r100 %\x07\n"])
    assert log.getvalue().endswith("\n 50 %\n100 %\\x07\n")


def test_a_terminal_without_a_character_shows_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_line("Δ mAP ●", file=stream)
    assert stream.buffer.getvalue() == b"\\u0394 mAP \\u25cf\n"


def test_a_picture_shows_a_dollar_sign_as_it_is() -> None:
    assert picture_text("$\\frac{1}$\x1b") == r"\$\frac{1}\$\x1b"
