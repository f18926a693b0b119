"""The site's source: every page in its place, no link that leads nowhere. Only `make docs` builds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.doc_site import FENCE, LINK, anchor, gather, heading
from tests.tree import ROOT

IN_MENU = re.compile(r"^ +- [^:]+: (\S+\.md)$", re.MULTILINE)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "source"
    gather(ROOT, folder)
    return folder


def test_every_link_leads_to_a_file_of_the_site(source: Path) -> None:
    dead = []
    for page in source.rglob("*.md"):
        for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            if not target.startswith(("http:", "https:", "mailto:")) and not (page.parent / target).is_file():
                dead.append(f"{page.relative_to(source)}: {target}")
    assert dead == []


def test_every_page_of_docs_is_in_the_menu_and_every_entry_is_there(source: Path) -> None:
    entries = IN_MENU.findall((ROOT / "mkdocs.yml").read_text())
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} < set(entries)
    assert [entry for entry in entries if not (source / entry).is_file()] == []


def test_a_list_names_every_decision_by_its_heading(source: Path) -> None:
    listed = (source / "docs/decisions/index.md").read_text()
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert all(f"- [{heading(path)}]({path.name})" in listed for path in decisions)


def test_anchors_are_those_that_links_in_the_documents_name() -> None:
    assert anchor("When the GPU is taken, or failed?", "-") == "when-the-gpu-is-taken-or-failed"


def test_gathering_again_leaves_nothing_of_the_time_before(tmp_path: Path) -> None:
    source = tmp_path / "source"
    first = gather(ROOT, source)
    (source / "old.md").write_text("# Old\n")
    assert gather(ROOT, source) == first and "index.md" in first
