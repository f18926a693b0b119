"""Measure what the service around the trainings costs, and write its page: a trial, a worker, a page, a start.

    python -m benchmarks.service --out runs/service --page docs/results/service.md

Studies are made up and filled first, which takes minutes. The text below "Notes" of the page is kept.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.serving.costs import poll_costs, start_costs, trial_cost, worker_costs
from benchmarks.serving.made_study import MadeStudy
from benchmarks.serving.page import service_blocks
from benchmarks.setup.markdown import page_text, read_notes
from benchmarks.setup.one_thread import use_one_thread
from benchmarks.setup.options import results_parser
from benchmarks.setup.results import write_json
from benchmarks.variant_table.builder import VariantBuilder
from benchmarks.variant_table.stored_table import NETWORKS_FOLDER, TABLE
from search.store.sql import open_store


def main() -> None:
    """Fill studies, measure, print the tables, and write figures and page."""
    parser = results_parser(__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[1000, 3000], help="default: %(default)s")
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 10_000], help="default: %(default)s")
    parser.add_argument("--page", type=Path, help="Markdown file")
    options = parser.parse_args()
    use_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        builder = VariantBuilder.prepare(Path(folder), TABLE / NETWORKS_FOLDER)
        counts = (*options.records, *options.trials)
        studies = {count: MadeStudy(builder, f"sqlite:///{folder}/{count}.db") for count in counts}
        for count, made in studies.items():
            store = open_store(made.url)
            made.fill(store, made.begin(store), count)
            store.close()
        polls = {str(count): poll_costs(studies[count].url, count, Path(folder)) for count in options.trials}
        found = {
            "parameters": len(builder.space.parameters),
            "trial": trial_cost(MadeStudy(builder, f"sqlite:///{folder}/new.db")),
            "workers": {str(count): worker_costs(studies[count]) for count in options.records},
            "polls": polls,
            "starts": start_costs(),
        }
    write_json(options.out / "service.json", found)
    blocks = service_blocks(found)
    print("\n\n".join(blocks))
    if options.page is not None:
        options.page.write_text(page_text(blocks, read_notes(options.page)), encoding="utf-8")


if __name__ == "__main__":
    main()
