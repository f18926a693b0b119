"""`python -m search.dashboard --study nas_head`: optuna-dashboard over the study's database. Its only importer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, BinaryIO, final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna_dashboard._app import create_app

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.files import write_beside
from search.cli.stored_study import find_study, require_database
from search.pages.dashboard_facts import Facts, informed
from search.pages.dashboard_guard import App, guarded
from search.sampler.optuna_study import optuna_storage
from search.store.base import Store
from search.store.sql import open_store
from search.study.faults import DefinitionError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@final
class ArtifactFolder:
    """Files that people upload in the dashboard; written aside and renamed, so that none is ever half there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file for reading."""
        return (self._folder / Path(artifact_id).name).open("rb")

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Store a file."""
        write_beside(self._folder / Path(artifact_id).name, lambda partial: partial.write_bytes(content_body.read()))

    def remove(self, artifact_id: str) -> None:
        """Delete a file; does nothing if it is gone."""
        (self._folder / Path(artifact_id).name).unlink(missing_ok=True)


def sampler_tables(store: Store, url: str) -> Any:
    """Optuna's storage; its tables are made where they are absent (optuna-dashboard crashes without them)."""
    with store.exclusive("optuna tables"):
        return optuna_storage(url)


def dashboard_app(
    store: Store, storage: Any, artifacts: Path, *, hosts: tuple[str, ...] | None, read_only: bool
) -> App:
    """The whole application, from the outside in: guard, our facts, optuna-dashboard.

    Args:
        store: Our records; stays open as long as the application is used.
        storage: Optuna's storage under the same URL, from `sampler_tables`.
        artifacts: Folder of uploaded files.
        hosts: Values of the Host header that are ours; None where any name may lead here.
        read_only: Whether everything that could change something is refused.
    """
    app: Any = create_app(storage, artifact_store=ArtifactFolder(artifacts))
    return guarded(informed(app, Facts(store, storage)), hosts, read_only=read_only)


@final
class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a browser that holds its connection does not keep the process


@final
class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """A line a request, every two seconds, tells nobody anything."""


def serve(store: Store, storage: Any, options: argparse.Namespace) -> WSGIServer:
    """A server that is bound and listens; port 0 takes a free one.

    Raises:
        OSError: If the port is taken or the host is not ours.
    """
    loopback = options.host in LOOPBACK
    server = make_server(options.host, options.port, lambda *_: [], server_class=_Server, handler_class=_QuietHandler)
    port = server.server_port
    names = {f"[{name}]" if ":" in name else name for name in (*LOOPBACK, options.host)}
    hosts = tuple(sorted(f"{name}:{port}" for name in names)) if loopback else None
    artifacts = run_folder(options).root / "artifacts"
    read_only = options.read_only or not loopback  # others can reach it, and nobody is asked for a password
    server.set_app(dashboard_app(store, storage, artifacts, hosts=hosts, read_only=read_only))
    return server


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m search.dashboard", description=__doc__)
    add_study_options(parser, required=False)
    parser.add_argument("--host", default="127.0.0.1", help="address; any but loopback is served read-only")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--read-only", action="store_true", help="refuse every change")
    options = parser.parse_args(arguments)
    url = url_of(options)
    require_database(url)
    store = open_store(url)
    try:
        name = find_study(store, options.study).sampler_name if options.study else None
        storage = sampler_tables(store, url)
        try:
            server = serve(store, storage, options)
        except OSError as error:
            raise DefinitionError(f"cannot serve on {options.host}:{options.port}: {error.strerror or error}") from None
        with server:
            page = f"/dashboard/studies/{storage.get_study_id_from_name(name)}" if name else "/dashboard"
            _say_where(f"http://{options.host}:{server.server_port}{page}", options.host)
            server.serve_forever()
    finally:
        store.close()
    return Exit.DONE


def _say_where(address: str, host: str) -> None:
    print(f"dashboard: {address}", flush=True)
    if host not in LOOPBACK:
        print("read-only: others can reach this address, and nobody is asked for a password", flush=True)
    print("Ctrl-C ends it", flush=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
