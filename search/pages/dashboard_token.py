"""Token of a dashboard that may change something: who opens the printed address gets it as a cookie.

Any user of a machine can reach its loopback addresses, so the address alone is no right to write. Without the cookie
nothing is answered, not even reading.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from search.pages.dashboard_guard import Answer, Environ, refuse

PARAMETER = "token"
"""Name of the token in the query of the address that is printed."""


@dataclass(frozen=True)
class AccessToken:
    """A secret that the one who started the server is told, and nobody else."""

    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def cookie(self) -> str:
        """Name of the cookie: cookies are shared by all ports of a host, so each server has a name of its own."""
        return f"yolofront-{hashlib.sha256(self.secret.encode()).hexdigest()[:12]}"

    def address(self, page: str) -> str:
        """Return a page's address with the token."""
        return f"{page}?{urlencode({PARAMETER: self.secret})}"

    def refusal(self, environ: Environ) -> Answer | None:
        """Return None for a request with the cookie; for one with the token in its address, an answer that sets it."""
        if self._is_secret(_cookies(environ).get(self.cookie, "")):
            return None
        query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if environ["REQUEST_METHOD"] == "GET" and any(
            name == PARAMETER and self._is_secret(value) for name, value in query
        ):
            rest = urlencode([(name, value) for name, value in query if name != PARAMETER])
            path = "/" + quote(environ.get("PATH_INFO", "").encode("latin-1", "replace")).lstrip("/")
            return Answer("303 See Other", [("Location", f"{path}{'?' * bool(rest)}{rest}"), *self._headers()], b"")
        return refuse("401 Unauthorized", "open the address with the token that `yolofront dashboard` printed")

    def _headers(self) -> list[tuple[str, str]]:
        cookie = f"{self.cookie}={self.secret}; Path=/; HttpOnly; SameSite=Strict"
        return [("Set-Cookie", cookie), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")]

    def _is_secret(self, text: str) -> bool:
        """Compare in a time that does not tell how much of the text is right."""
        return hmac.compare_digest(text.encode("utf-8", "surrogateescape"), self.secret.encode())


def _cookies(environ: Environ) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(environ.get("HTTP_COOKIE", "")).items()}
    except CookieError:
        return {}
