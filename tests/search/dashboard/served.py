"""A dashboard that is asked in this process."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any
from wsgiref.util import setup_testing_defaults

from search.pages.dashboard_guard import Answer, App, ask
from search.pages.dashboard_token import AccessToken

HOST = "127.0.0.1:8080"
LEFT_OUT = "left out"
"""Value of a header that the client does not send."""


@dataclass(frozen=True)
class Served:
    """A dashboard, asked in this process."""

    app: App
    storage: Any

    token: AccessToken | None = None

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: Any) -> Answer:
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        data = b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        environ |= {
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method, "HTTP_HOST": HOST,
            "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(data)), "wsgi.input": io.BytesIO(data),
        }  # fmt: skip
        if self.token is not None:
            environ["HTTP_COOKIE"] = f"{self.token.cookie}={self.token.secret}"
        environ |= headers
        for name in [name for name, value in environ.items() if value is LEFT_OUT]:
            del environ[name]
        return ask(self.app, environ)

    def json(self, path: str) -> Any:
        answer = self.ask(path)
        assert answer.status.startswith("200"), answer
        return json.loads(answer.body)


def header(answer: Answer, name: str) -> str | None:
    return next((value for key, value in answer.headers if key.lower() == name.lower()), None)
