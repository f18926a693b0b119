"""Write the results page of the benchmark of latency from its JSON file, so that no figure is typed by hand.

    python -m benchmarks.latency_page --out runs/latency --page docs/results/latency.md

The text below "Notes" is written by people and is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.timing.page import write_latency_page
from benchmarks.timing.run import figures_file


def main() -> None:
    """Read the figures, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the --out of benchmarks.latency")
    parser.add_argument("--quick", action="store_true", help="use the figures of a quick run")
    parser.add_argument("--provider", default="cpu", help="the --provider of benchmarks.latency (default: %(default)s)")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file")
    options = parser.parse_args()
    file = figures_file(options.out, quick=options.quick, provider=options.provider)
    if not file.exists():
        parser.error(f"there is no {file}; run benchmarks.latency first")
    write_latency_page(file, options.page)


if __name__ == "__main__":
    main()
