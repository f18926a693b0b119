"""Protect the dashboard, which has no authentication, from foreign requests.

`guarded` accepts only requests that name this server, which prevents DNS rebinding. Nothing can be changed, unless
there is a token: then every request must have it, and those that change something must come from the dashboard's own
pages. Artifacts are never run as pages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers = list[tuple[str, str]]

READING = ("GET", "HEAD", "OPTIONS")
SHOWN_ARTIFACTS = (
    "image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/", "text/plain", "text/csv",
    "application/json", "application/jsonl", "application/x-jsonlines",
)  # fmt: skip
"""Content types that a browser shows without running code; all others are offered as downloads."""


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer."""

    status: str
    headers: Headers
    body: bytes

    def send(self, start_response: StartResponse) -> list[bytes]:
        """Send the answer, with the length of its body."""
        kept = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
        start_response(self.status, [*kept, ("Content-Length", str(len(self.body)))])
        return [self.body]


def refuse(status: str, text: str) -> Answer:
    """Return an answer of one line of text, such as the reason of a refusal."""
    return Answer(status, [("Content-Type", "text/plain; charset=utf-8")], text.encode() + b"\n")


def ask(app: App, environ: Environ) -> Answer:
    """Return the complete answer of an application."""
    started: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: object = None) -> Callable[[bytes], object]:
        started.append((status, headers))
        return lambda data: None

    parts = app(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = started[-1]
    return Answer(status, list(headers), body)


class Token(Protocol):
    """Check of the token in each request; `search.pages.dashboard_token` has the implementation."""

    def refusal(self, environ: Environ) -> Answer | None:
        """Return what is answered instead of a request; None for one that is let in."""


def guarded(
    app: App, hosts: Collection[str] | None, *, token: Token | None, check: Callable[[Environ], Answer | None]
) -> App:
    """Return the application behind the checks.

    Args:
        app: The dashboard.
        hosts: Allowed values of the Host header; None allows any.
        token: Check of the token in every request; without one every request that could change something is refused.
        check: Returns the refusal of a request that cannot be answered; it is called last.
    """

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if refusal := _refusal(environ, hosts, token) or check(environ):
            return refusal.send(start_response)
        if environ.get("PATH_INFO", "").startswith("/artifacts/"):
            found = ask(app, environ)
            return Answer(found.status, _harmless(found.headers), found.body).send(start_response)
        return app(environ, _with_headers(start_response))

    return answer


def _refusal(environ: Environ, hosts: Collection[str] | None, token: Token | None) -> Answer | None:
    host = environ.get("HTTP_HOST", "").lower()
    if hosts is not None and host not in hosts:
        return refuse("403 Forbidden", f"this server is not '{host}'; open it as http://{min(hosts)}")
    changes = environ["REQUEST_METHOD"] not in READING
    if token is None:
        return refuse("403 Forbidden", "the dashboard is read-only; --writable lets it change") if changes else None
    if refusal := token.refusal(environ):
        return refusal
    origin = environ.get("HTTP_ORIGIN")
    if changes and origin is not None and not _is_of(origin, host):
        return refuse("403 Forbidden", "only the dashboard's own pages may change anything")
    return None


def _is_of(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host
    except ValueError:  # no address at all
        return False


def _with_headers(start_response: StartResponse) -> StartResponse:
    def start(status: str, headers: Headers, *rest: Any) -> Callable[[bytes], object]:
        extra = [("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "SAMEORIGIN")]
        return start_response(status, [*headers, *extra], *rest)

    return start


def _harmless(headers: Headers) -> Headers:
    """Return headers that let a browser show an uploaded file without running it: pages with scripts are downloads."""
    dropped = ("content-type", "access-control-allow-origin", "content-disposition")
    content = next((value for name, value in headers if name.lower() == "content-type"), "")
    kept = [(name, value) for name, value in headers if name.lower() not in dropped]
    kept += [("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "default-src 'none'; sandbox")]
    if content.lower().startswith(SHOWN_ARTIFACTS):
        return [*kept, ("Content-Type", content)]
    return [*kept, ("Content-Type", "application/octet-stream"), ("Content-Disposition", "attachment")]
