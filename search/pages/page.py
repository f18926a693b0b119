"""Self-contained HTML pages from our templates: all text is escaped and made visible, and no page loads anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from search.record import words
from spaces.shown import shown_lines

FOLDER = Path(__file__).with_name("html")


def render(template: str, **values: Any) -> str:
    """Fill a template of `search/pages/html`; `style` is the common style sheet, `words` are those of all pages.

    Args:
        values: Text is escaped, except text that `trusted` marks.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(style=trusted(part("report.css")), words=words, **values)


def _visible(value: object) -> object:
    """Return what a template writes for a value: text as `shown_lines` makes it, unless it is ours."""
    return shown_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def part(name: str) -> str:
    """Return the text of a file beside the templates."""
    return (FOLDER / name).read_text(encoding="utf-8")


def trusted(text: str) -> Markup:
    """Mark text as safe, so that it is not escaped. Only for our own text."""
    return Markup(text)
