"""Gathers the pages of the site that `make docs` builds: the README, docs/, and the files that they link to."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "build" / "site-source"
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LISTED = {"docs/decisions": "Decisions", "docs/results": "Measured results"}
"""Folders that get a page which lists their pages, and its title."""


def gather(root: Path = ROOT, source: Path = SOURCE) -> tuple[str, ...]:
    """Write the site's source, in place of an earlier one; return the paths of its pages.

    The README becomes `index.md`. All other files keep their places, so that links between them stay as they are.
    """
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "docs", source / "docs")
    for folder, title in LISTED.items():
        write_list(source / folder, title)
    readme = (root / "README.md").read_text(encoding="utf-8")
    for folder in LISTED:
        readme = readme.replace(f"]({folder}/)", f"]({folder}/index.md)")
    (source / "index.md").write_text(readme, encoding="utf-8")
    shutil.copy2(root / "CHANGELOG.md", source)
    for page in sorted(source.rglob("*.md")):
        copy_linked(page, root, source)
    return tuple(path.relative_to(source).as_posix() for path in sorted(source.rglob("*.md")))


def write_list(folder: Path, title: str) -> None:
    """Write an `index.md` that links each page of a folder by its heading."""
    pages = [path for path in sorted(folder.glob("*.md")) if path.name != "index.md"]
    lines = (f"- [{heading(path)}]({path.name})" for path in pages)
    (folder / "index.md").write_text("\n".join([f"# {title}", "", *lines, ""]), encoding="utf-8")


def heading(page: Path) -> str:
    """Return the first heading of a page."""
    return next(line[2:] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("# "))


def copy_linked(page: Path, root: Path, source: Path) -> None:
    """Copy the files of the project that a page links to and that the source lacks: studies, examples, the licence."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        place = (page.parent / target).resolve()
        if place.is_relative_to(source) and not place.exists():
            origin = root / place.relative_to(source)
            if origin.is_file():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin, place)


def anchor(text: str, separator: str) -> str:
    """Return a heading as forges make an anchor of it: lower case, no punctuation, spaces replaced."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", separator)


if __name__ == "__main__":
    gather()
