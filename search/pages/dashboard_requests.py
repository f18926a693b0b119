"""Requests to the dashboard, completed and checked: optuna-dashboard fails (500) on what it takes for granted."""

from __future__ import annotations

import io
import json
import re
from urllib.parse import parse_qs

from search.pages.dashboard_guard import READING, Answer, Environ, refuse

USUAL = {"HTTP_ACCEPT_ENCODING": "", "HTTP_HOST": "", "PATH_INFO": "/", "QUERY_STRING": "", "CONTENT_TYPE": ""}
"""Headers and parts of the address that a client may leave out, with the value that stands for their absence."""
LARGEST_BODY_BYTES = 64 * 2**20
"""Maximum size of a request: an uploaded file, written as text."""
_TOO_LONG_NUMBER = re.compile(r"\d{16,}")
"""A number that no database takes as an id."""


def complete(environ: Environ) -> Answer | None:
    """Complete a request in place; return the refusal of one that cannot be answered."""
    for name, value in USUAL.items():
        environ.setdefault(name, value)
    if any(map(_TOO_LONG_NUMBER.fullmatch, environ["PATH_INFO"].split("/"))):
        return refuse("404 Not Found", "there is no study or trial with that number")
    after = parse_qs(environ["QUERY_STRING"]).get("after", ["0"])[0]
    if not re.fullmatch(r"-?\d{1,15}", after, re.ASCII):
        return refuse("400 Bad Request", "'after' must be a number of trials")
    return None if environ["REQUEST_METHOD"] in READING else _complete_body(environ)


def _complete_body(environ: Environ) -> Answer | None:
    """Read the body of a request that changes something; an absent one becomes an empty object."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"\d{1,15}", length, re.ASCII):
        return refuse("411 Length Required", "Content-Length must be the size of the body in bytes")
    if int(length) > LARGEST_BODY_BYTES:
        return refuse("413 Content Too Large", f"at most {LARGEST_BODY_BYTES // 2**20} MiB are taken")
    body = environ["wsgi.input"].read(int(length)) if int(length) else b""
    if body and environ["CONTENT_TYPE"].partition(";")[0].strip().lower() != "application/json":
        return refuse("415 Unsupported Media Type", "Content-Type must be application/json")
    if not _is_object(body or b"{}"):
        return refuse("400 Bad Request", "the body must be a JSON object")
    body = body or b"{}"
    environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return None


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False
