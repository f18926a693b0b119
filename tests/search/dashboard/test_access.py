"""Whom the dashboard lets in, and how it answers requests that lack something."""

from __future__ import annotations

import io
import threading
from contextlib import closing
from http.client import HTTPConnection
from wsgiref.simple_server import WSGIServer

import pytest

from search.cli.command import Exit, run_command
from search.dashboard import main
from search.pages.dashboard_token import AccessToken
from search.store.base import Store
from tests.search.dashboard.served import HOST, LEFT_OUT, Served, header


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1", ""])
def test_a_request_that_names_another_server_is_refused(served: Served, host: str) -> None:
    answer = served.ask("/api/studies", HTTP_HOST=host)
    assert answer.status == "403 Forbidden" and b"http://127.0.0.1:8080" in answer.body


def test_another_page_may_not_change_anything(served: Served) -> None:
    answer = served.ask("/api/studies/1", "DELETE", HTTP_ORIGIN="https://evil.example")
    assert answer.status == "403 Forbidden"
    assert served.ask("/api/studies/1/note", "PUT", {}, HTTP_ORIGIN=f"http://{HOST}").status.startswith("400")  # let in


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST", "PATCH"])
def test_read_only_refuses_every_change(read_only: Served, method: str) -> None:
    assert read_only.ask("/api/studies/1", method, {}).status == "403 Forbidden"
    assert read_only.json("/api/studies/1")["name"] == "nas_head"


def test_without_the_token_nothing_is_answered_on_a_writable_dashboard(served: Served) -> None:
    assert served.token is not None
    stranger = Served(served.app, served.storage)
    wrong = f"{served.token.cookie}={'x' * len(served.token.secret)}"
    for cookie in ("", wrong, "\xff;==;", f"other={served.token.secret}"):
        for path, method in (("/api/studies", "GET"), ("/report/1", "GET"), ("/api/studies/1", "DELETE")):
            answer = stranger.ask(path, method, HTTP_COOKIE=cookie)
            assert answer.status == "401 Unauthorized" and served.token.secret.encode() not in answer.body
    assert stranger.ask(f"/api/studies/1?token={served.token.secret}", "DELETE").status == "401 Unauthorized"
    assert stranger.ask("/dashboard?token=x").status == "401 Unauthorized"
    assert served.json("/api/studies/1")["name"] == "nas_head"


def test_the_printed_address_gives_the_token_as_a_cookie_and_leaves_the_address_bar(served: Served) -> None:
    assert served.token is not None
    printed = served.token.address("http://h/dashboard/studies/1").removeprefix("http://h")
    answer = Served(served.app, served.storage).ask(f"{printed}&x=1")
    assert answer.status == "303 See Other" and header(answer, "Location") == "/dashboard/studies/1?x=1"
    cookie = header(answer, "Set-Cookie") or ""
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    again = Served(served.app, served.storage).ask("/api/studies", HTTP_COOKIE=cookie.partition(";")[0])
    assert again.status.startswith("200")
    elsewhere = Served(served.app, served.storage).ask(f"//evil.example/?token={served.token.secret}")
    assert header(elsewhere, "Location") == "/evil.example/"  # a path of this server


def test_each_server_has_a_token_of_its_own() -> None:
    one, other = AccessToken(), AccessToken()
    assert one.secret != other.secret and one.cookie != other.cookie
    assert len(one.secret) >= 32 and one.secret not in repr(one)


MISSING = ("HTTP_ACCEPT_ENCODING", "HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "QUERY_STRING", "PATH_INFO")
PATHS = (
    "/", "/dashboard", "/favicon.ico", "/static/bundle.js", "/api/studies", "/api/studies/1", "/api/meta", "/report/1",
    "/csv/1", "/artifacts/1/00000000-0000-0000-0000-000000000000", "/api/studies/99999999999999999999",
    "/report/99999999999999999999", "/artifacts/9/00000000-0000-0000-0000-000000000000",
    "/artifacts/1/99999/00000000-0000-0000-0000-000000000000", "/api/studies/1?after=x", "/nothing/here",
)  # fmt: skip


@pytest.mark.parametrize("left_out", MISSING)
def test_no_header_is_needed_to_be_answered(served: Served, left_out: str) -> None:
    answers = {path: served.ask(path, **{left_out: LEFT_OUT}).status for path in PATHS}
    assert {path: status for path, status in answers.items() if status.startswith("5")} == {}


WRITES = (
    ("/api/studies/1/note", "PUT"), ("/api/studies", "POST"), ("/api/studies/1/rename", "POST"),
    ("/api/artifacts/1", "POST"), ("/api/trials/1/tell", "POST"), ("/api/trials/1/user-attrs", "POST"),
    ("/api/studies/1/1/note", "PUT"), ("/api/studies/1/preference", "POST"),
)  # fmt: skip
ABSENT: dict[str, str] = {}
NO_TYPE, NO_LENGTH = {"CONTENT_TYPE": LEFT_OUT}, {"CONTENT_LENGTH": LEFT_OUT}
BODIES: tuple[tuple[bytes, dict[str, str]], ...] = (
    (b"", ABSENT), (b"[]", ABSENT), (b"null", ABSENT), (b"{", ABSENT), (b"\xff", ABSENT), (b"[" * 100_000, ABSENT),
    (b"{}", NO_TYPE), (b"{}", NO_LENGTH), (b"{}", {"CONTENT_LENGTH": "abc"}), (b"{}", {"CONTENT_LENGTH": "-5"}),
    (b"{}", {"CONTENT_LENGTH": "9" * 12}), (b"{}", {"CONTENT_TYPE": "text/plain"}),
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda each: ascii(each[0][:9]) + " ".join(each[1]))
def test_a_change_that_cannot_be_read_is_the_clients_fault(served: Served, body: tuple[bytes, dict[str, str]]) -> None:
    content, headers = body
    given = {"CONTENT_LENGTH": str(len(content)), "wsgi.input": io.BytesIO(content), **headers}
    answers = {f"{method} {path}": served.ask(path, method, **given).status for path, method in WRITES}
    assert {asked: status for asked, status in answers.items() if not status.startswith("4")} == {}


@pytest.mark.parametrize("arguments", [["--writable", "--host", "0.0.0.0"], ["--writable", "--read-only"]])
def test_writable_is_for_this_machine_alone(url: str, store: Store, arguments: list[str]) -> None:
    try:
        assert run_command(main, ["--storage", url, *arguments]) == Exit.USAGE
    except SystemExit as ended:
        assert ended.code == Exit.USAGE


@pytest.mark.parametrize("writable", [False, True])
def test_the_command_serves_read_only_unless_it_is_told(
    url: str, store: Store, writable: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def delete_a_study(server: WSGIServer, poll_interval: float = 0.5) -> None:
        with closing(HTTPConnection("127.0.0.1", server.server_port, timeout=10)) as connection:
            serving = threading.Thread(target=server.handle_request, daemon=True)
            serving.start()
            connection.request("DELETE", "/api/studies/1", headers={"Content-Type": "application/json"})
            print("status", connection.getresponse().status)
            serving.join(10)

    monkeypatch.setattr(WSGIServer, "serve_forever", delete_a_study)
    assert run_command(main, ["--storage", url, "--port", "0", *(["--writable"] if writable else [])]) == Exit.DONE
    printed = capsys.readouterr().out
    assert ("status 401" in printed and "?token=" in printed) if writable else ("status 403" in printed)
    assert "?token=" in printed or not writable
