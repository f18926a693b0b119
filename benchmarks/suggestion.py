"""Time one suggestion of our sampler and of Optuna's Gaussian process, in a study with a thousand records.

    python -m benchmarks.suggestion --out runs/search

The space is that of our own table (53 parameters, four donors). The records are in SQLite, as those of a study are;
one trial in five was stopped. Accuracy and latency come from formulas, because their values do not matter here. Both
samplers are timed in the same run, one after the other. Ours has a sensitivity analysis of the parent, and no earlier
studies.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from benchmarks.searching.suggestion_time import FilledStudy, suggestion_sentence
from benchmarks.setup.options import results_parser
from benchmarks.setup.results import write_json
from benchmarks.variant_table.builder import VariantBuilder
from benchmarks.variant_table.stored_table import NETWORKS_FOLDER, TABLE


def main() -> None:
    """Fill a study, time suggestions, write and print the seconds."""
    parser = results_parser(__doc__)
    parser.add_argument("--records", type=int, default=1000, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        builder = VariantBuilder.prepare(Path(folder), TABLE / NETWORKS_FOLDER)
        seconds = FilledStudy(builder, f"sqlite:///{folder}/yolofront.db").time_suggestions(options.records)
        found = {"records": options.records, "parameters": len(builder.space.parameters), "seconds": seconds}
    write_json(options.out / "suggestion.json", found)
    print(suggestion_sentence(found))


if __name__ == "__main__":
    main()
