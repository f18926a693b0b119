"""Write the results page of the benchmarks of search from their JSON files, so that no figure is typed by hand.

All pictures, and all figures as one JSON file, are written beside the page.

    python -m benchmarks.search_page --out runs/search --page docs/results/search.md

`--rungs` and `--end-to-end` add the figures of the other benchmarks. The text below "Notes" is written by people and is
kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.search_results.page import write_search_page
from benchmarks.setup.results import read_json


def main() -> None:
    """Read the figures, write the page and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the --out of benchmarks.search")
    parser.add_argument("--rungs", type=Path, help="the --out of benchmarks.rungs")
    parser.add_argument("--end-to-end", type=Path, help="the --out of benchmarks.end_to_end")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file")
    options = parser.parse_args()
    found = {
        "tables": read_json(options.out / "figures.json"),
        "surrogate": read_json(options.out / "surrogate.json"),
        "suggestion": read_json(options.out / "suggestion.json"),
        "rungs": None if options.rungs is None else read_json(options.rungs / "figures.json"),
        "end_to_end": None if options.end_to_end is None else read_json(options.end_to_end / "figures.json"),
    }
    figures = {name: part for name, part in found.items() if part is not None}
    if "tables" not in figures:
        parser.error(f"benchmarks.search wrote no figures into {options.out}")
    write_search_page(figures, options.page)


if __name__ == "__main__":
    main()
