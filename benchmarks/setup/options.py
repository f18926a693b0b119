"""Command-line options that several benchmarks have."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def results_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that prints the description as it is written and has `--out`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_out(parser)
    return parser


def add_out(parser: argparse.ArgumentParser) -> None:
    """Add `--out`, the folder of results."""
    parser.add_argument("--out", type=Path, required=True, help="folder of results; a later run continues them")


def add_seeds(parser: argparse.ArgumentParser, default: int) -> None:
    """Add `--seeds`, the number of seeds."""
    parser.add_argument("--seeds", type=int, default=default, metavar="N", help="default: %(default)s")


def add_processes(parser: argparse.ArgumentParser) -> None:
    """Add `--processes`, the number of processes that run at once."""
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N", help="default: %(default)s")
