"""Serve optuna-dashboard over a study's database, together with our records. The only importer of optuna_dashboard."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, BinaryIO, final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from search.pages.dashboard_answers import Stock, with_records
from search.pages.dashboard_guard import App, guarded
from search.pages.dashboard_records import DashboardRecords
from search.pages.dashboard_requests import complete
from search.pages.dashboard_token import AccessToken
from search.record.folders import RunFolder
from search.store.base import Store
from spaces.durable import write_bytes

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@final
class ArtifactFolder:
    """Files that users upload in the dashboard; each is written under another name and renamed when it is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file for reading."""
        return (self._folder / Path(artifact_id).name).open("rb")

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Store a file."""
        write_bytes(self._folder / Path(artifact_id).name, content_body.read())

    def remove(self, artifact_id: str) -> None:
        """Delete a file, if it exists."""
        (self._folder / Path(artifact_id).name).unlink(missing_ok=True)


def dashboard_app(
    store: Store,
    storage: Any,
    artifacts: Path,
    *,
    hosts: tuple[str, ...] | None,
    token: AccessToken | None = None,
    runs: RunFolder | None = None,
) -> App:
    """Return the whole application, from the outside in: guard, our records, optuna-dashboard.

    Args:
        store: Our records; it must stay open as long as the application is used.
        storage: Optuna's storage under the same URL, from `search.sampler.optuna_study.create_optuna_tables`.
        artifacts: Folder of uploaded files.
        hosts: Allowed values of the Host header; None allows any.
        token: Token that every request must have; without one nothing can be changed.
        runs: Run folder, where pictures with boxes lie beside the reports.
    """
    with_stock = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load dashboard")
    stock = with_stock.submit(_load_stock, storage, artifacts)  # takes a second, while the address is shown
    with_stock.shutdown(wait=False)
    app = with_records(stock.result, DashboardRecords(store, storage, runs))
    return guarded(app, hosts, token=token, check=complete)


def _load_stock(storage: Any, artifacts: Path) -> Stock:
    """Import optuna-dashboard, which imports scikit-learn, and return it over a storage."""
    from optuna_dashboard._app import create_app
    from optuna_dashboard._serializer import serialize_frozen_trial

    def serialize(study: Any, trial: Any) -> dict[str, Any]:
        found: dict[str, Any] = serialize_frozen_trial(study._study_id, trial, study.system_attrs)
        return found

    app: Any = create_app(storage, artifact_store=ArtifactFolder(artifacts))
    return Stock(app, app._inmemory_cache._trials_last_fetched_at.clear, serialize)


@final
class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # an open connection of a browser does not keep the process alive


@final
class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: pages send a request every two seconds."""


def serve(
    store: Store,
    storage: Any,
    artifacts: Path,
    *,
    host: str = LOOPBACK[0],
    port: int = 8080,
    token: AccessToken | None = None,
    runs: RunFolder | None = None,
) -> WSGIServer:
    """Return a server that listens; it answers once `serve_forever` is called.

    Args:
        store: As for `dashboard_app`; `storage` and `artifacts` likewise.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        token: As for `dashboard_app`; `runs` likewise.

    Raises:
        OSError: If the port is taken or the address is not one of this machine.
    """
    loopback = host in LOOPBACK
    server = make_server(host, port, lambda *_: [], server_class=_Server, handler_class=_QuietHandler)
    names = {f"[{name}]" if ":" in name else name for name in (*LOOPBACK, host)}
    hosts = tuple(sorted(f"{name}:{server.server_port}" for name in names)) if loopback else None
    server.set_app(dashboard_app(store, storage, artifacts, hosts=hosts, token=token, runs=runs))
    return server
