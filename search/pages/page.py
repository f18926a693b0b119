"""Self-contained HTML pages from our templates: all text is escaped, nothing is asked of anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).with_name("html")


def render(template: str, **values: Any) -> str:
    """Fill a template of `search/pages/html`; `style` is the common style sheet.

    Args:
        values: Text is escaped; `trusted` marks what is ours and stays as it is.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(style=trusted(part("report.css")), **values)


def part(name: str) -> str:
    """A file beside the templates."""
    return (FOLDER / name).read_text(encoding="utf-8")


def trusted(text: str) -> Markup:
    """Text of our own, which is not escaped; never a user's."""
    return Markup(text)
