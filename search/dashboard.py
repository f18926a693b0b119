"""Show a study in optuna-dashboard: `yolofront dashboard --study nas_head`."""

from __future__ import annotations

import sys

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.stored_study import existing_store, find_study
from search.pages.dashboard_token import AccessToken
from search.study.faults import DefinitionError
from spaces.command_line import CommandParser
from spaces.shown import print_line


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    from search.pages.dashboard_server import LOOPBACK, serve  # imports Optuna: not for --help
    from search.sampler.optuna_study import create_optuna_tables

    host, url = options.host, url_of(options)
    if options.writable and host not in LOOPBACK:
        raise DefinitionError(f"--host is {host}; --writable is for this machine alone: {' or '.join(LOOPBACK)}")
    token = AccessToken() if options.writable else None
    with existing_store(url) as store:
        name = find_study(store, options.study).sampler_name if options.study else None
        storage = create_optuna_tables(store, url)
        runs = run_folder(options)
        try:
            server = serve(store, storage, runs.artifacts, host=host, port=options.port, token=token, runs=runs)
        except (OSError, OverflowError) as error:  # the latter for a port that no machine has
            reason = getattr(error, "strerror", None) or error
            raise DefinitionError(f"cannot serve on {host}:{options.port}: {reason}") from None
        with server:
            page = f"/dashboard/studies/{storage.get_study_id_from_name(name)}" if name else "/dashboard"
            shown_host = f"[{host}]" if ":" in host else host
            address = f"http://{shown_host}:{server.server_port}{page}"
            _print_address(address if token is None else token.address(address), writable=options.writable)
            server.serve_forever()
    return Exit.DONE


def _print_address(address: str, *, writable: bool) -> None:
    print_line(f"dashboard: {address}")
    if writable:
        print_line("writable: whoever has this address may change and delete studies; the browser keeps its token")
    else:
        print_line("read-only: whoever reaches this address may look; --writable lets you change something")
    print_line("Ctrl-C ends it")


def _parser() -> CommandParser:
    parser = CommandParser("search.dashboard", description=__doc__)
    add_study_options(parser, required=False)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes a free one (default: %(default)s)")
    writing = parser.add_mutually_exclusive_group()
    writing.add_argument("--writable", action="store_true", help="allow changes to who has the token that is printed")
    writing.add_argument("--read-only", action="store_true", help="refuse every change (the default)")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
