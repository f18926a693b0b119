"""Show a study in optuna-dashboard: `python -m search.dashboard --study nas_head`."""

from __future__ import annotations

import argparse
import sys

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.stored_study import existing_store, find_study
from search.pages.dashboard_server import LOOPBACK, serve
from search.sampler.optuna_study import create_optuna_tables
from search.study.faults import DefinitionError


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    host, url = options.host, url_of(options)
    with existing_store(url) as store:
        name = find_study(store, options.study).sampler_name if options.study else None
        storage = create_optuna_tables(store, url)
        artifacts = run_folder(options).artifacts
        try:
            server = serve(store, storage, artifacts, host=host, port=options.port, read_only=options.read_only)
        except OSError as error:
            raise DefinitionError(f"cannot serve on {host}:{options.port}: {error.strerror or error}") from None
        with server:
            page = f"/dashboard/studies/{storage.get_study_id_from_name(name)}" if name else "/dashboard"
            _print_address(f"http://{host}:{server.server_port}{page}", host)
            server.serve_forever()
    return Exit.DONE


def _print_address(address: str, host: str) -> None:
    print(f"dashboard: {address}", flush=True)
    if host not in LOOPBACK:
        print("read-only: others can reach this address, and no password protects it", flush=True)
    print("Ctrl-C ends it", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.dashboard", description=__doc__)
    add_study_options(parser, required=False)
    parser.add_argument("--host", default="127.0.0.1", help="address; any but loopback is served read-only")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--read-only", action="store_true", help="refuse every change")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
