"""Records whose texts are hostile: every file and every table that is made of them holds them as harmless text."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from search.findings.comparison import record_differences
from search.findings.leaderboard import leaderboard
from search.findings.terminal import terminal_table
from search.pages.comparison import write_comparison
from search.pages.notes import study_note, trial_note
from search.pages.study_report import print_study_results, write_report
from search.store.sql import open_store
from spaces.display.terminal import table_console
from tests.search.plausible import Plausible, plausible_study, store_study

HOSTILE = "=HYPERLINK(1)|`x`![p](http://h)<script>$a$[/b]**\x1b]0;PWN\x07\x1b[31m\u202e\n# head"


@pytest.fixture(scope="module")
def hostile() -> Plausible:
    found = plausible_study(trials=8)
    records = tuple(
        replace(record, reason=f"{HOSTILE}{record.reason or ''}", params={**record.params, HOSTILE: HOSTILE})
        for record in found.records
    )
    definition = {**found.study.definition, "description": HOSTILE, "data": {"source": HOSTILE}}
    return replace(found, records=records, study=replace(found.study, definition=definition))


def harmless(text: str) -> bool:
    return all(char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs") for char in text)


def test_no_file_and_no_table_of_a_study_is_changed_by_the_texts_in_it(
    hostile: Plausible, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store("sqlite://")
    study = store_study(store, hostile)
    paths = write_report(store, study, tmp_path / "report")
    print_study_results(store, study)
    records = store.records(study)
    found = record_differences(records[0], records[1], (HOSTILE,) * 80)
    paths += write_comparison(tmp_path / "comparison", records[:6], found)
    console = table_console()
    console.print(terminal_table(leaderboard(records)))
    store.close()
    texts = {path.name: path.read_text() for path in paths if path.suffix != ".png"}
    assert {name for name, text in texts.items() if not harmless(text)} == set()
    assert harmless(capsys.readouterr().out)
    for name in ("report.html", "comparison.html"):
        assert "<script>$a$" not in texts[name]
    assert "PWN" in texts["report.html"] and "PWN" in texts["leaderboard.md"]
    for name in ("leaderboard.csv", "comparison.csv"):
        cells = [cell for row in csv.reader(io.StringIO(texts[name])) for cell in row]
        assert any("HYPERLINK" in cell for cell in cells)
        assert not [cell for cell in cells if cell.startswith(("=", "@")) or re.match(r"[+-][^\d.]", cell)]
    for name in ("leaderboard.md", "comparison.md"):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in texts[name].splitlines() if line.startswith("| ")}
        assert len(widths) == 1 and not re.search(r"(?<!\\)[`\[]|<script", texts[name])


def test_the_notes_of_the_dashboard_hold_them_as_text(hostile: Plausible) -> None:
    rows = leaderboard(hostile.records, hostile.fronts[-1].members)
    for note in (study_note(rows), *(trial_note(row, rows[0]) for row in rows)):
        assert harmless(note) and not re.search(r"(?<!\\)[`\[]|<script", note)
