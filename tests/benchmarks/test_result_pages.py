"""The pages under docs/results follow the code that writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.search_results.page import PICTURE_SUFFIXES, search_page_text, write_search_page
from benchmarks.setup.markdown import page_text, read_notes, wrap_markdown
from tests.tree import ROOT

RESULTS = ROOT / "docs" / "results"
PAGES = sorted(path.name for path in RESULTS.glob("*.md"))


def test_the_page_of_search_is_what_its_figures_give() -> None:
    page = RESULTS / "search.md"
    figures = json.loads(page.with_suffix(".json").read_text())
    pictures = {part: f"search{suffix}.png" for part, suffix in PICTURE_SUFFIXES.items()}
    assert search_page_text(figures, pictures, read_notes(page)) == page.read_text()


def test_the_page_of_search_is_written_with_its_pictures_and_figures(tmp_path: Path) -> None:
    figures = json.loads((RESULTS / "search.json").read_text())
    write_search_page({"tables": figures["tables"]}, tmp_path / "page.md")
    assert {path.name for path in tmp_path.iterdir()} == {"page.md", "page.json", "page.png"}
    assert "None yet." in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_every_quoted_command_exists(page: str) -> None:
    modules = re.findall(r"python -m ((?:benchmarks|search)(?:\.\w+)+)", (RESULTS / page).read_text())
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []


def test_text_is_wrapped_by_paragraph_and_by_list_item() -> None:
    words = " ".join(["word"] * 30)
    text = f"""
        {words}
        {words}

        - {words}

        - short

        The end.
        """
    lines = wrap_markdown(text).splitlines()
    assert max(map(len, lines)) <= 120
    blank = [number for number, line in enumerate(lines) if not line]
    items = [number for number, line in enumerate(lines) if line.startswith("- ")]
    assert len(blank) == 2 and blank[0] < items[0] < items[1] < blank[1] < len(lines) - 1
    assert lines[items[0] + 1].startswith("  word")
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())


def test_notes_survive_a_new_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert read_notes(page) == ""
    page.write_text(page_text(["# Title", "One."], ""))
    assert read_notes(page) == "None yet."
    page.write_text(page_text(["# Title"], "Somebody's words.\n\nMore."))
    assert read_notes(page) == "Somebody's words.\n\nMore."
