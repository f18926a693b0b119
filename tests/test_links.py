"""Links in Markdown lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from tests.tree import files, named

LINK = re.compile(r"(?<!\!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _anchors(path: Path) -> set[str]:
    """Headings as a forge makes anchors of them: lower case, spaces to dashes, no punctuation."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_in_markdown_leads_to_a_file_and_a_heading_that_are_there() -> None:
    broken = []
    for path in files(".md"):
        text = FENCE.sub("", path.read_text(encoding="utf-8"))
        for match in LINK.finditer(text):
            target = match.group(1) or match.group(2)
            if target.startswith(("http://", "https://", "mailto:")):
                continue
            file, _, anchor = target.partition("#")
            leads_to = (path.parent / file).resolve() if file else path
            if not leads_to.exists() or (anchor and anchor not in _anchors(leads_to)):
                broken.append(f"{named(path)}: {target}")
    assert broken == []


def test_there_are_links_to_check() -> None:
    assert sum(len(LINK.findall(path.read_text(encoding="utf-8"))) for path in files(".md")) >= 5
