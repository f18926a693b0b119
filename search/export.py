"""Take a network out of a study: `python -m search.export --study nas_head --trial 12 --format onnx`.

The network is measured again, exported, an ONNX file is compared with torch on real images, a `.pt` is read back by
Ultralytics, and the weights and figures are put beside it.
"""

from __future__ import annotations

import argparse
import sys
from difflib import get_close_matches
from pathlib import Path

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.stored_study import find_study
from search.findings.selection import at_knee, best_under, by_name, by_number, milliseconds, settled_study
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.study.faults import DefinitionError


def main(arguments: list[str]) -> int:
    """The command line."""
    options = _parser().parse_args(arguments)
    if options.images < 1:
        raise DefinitionError(f"--images is {options.images}; it must be at least 1")
    store = open_store(url_of(options))
    try:
        study = find_study(store, options.study)
        record = _chosen(options, store, study)
        _check_format(options.format)
        from search.finish.network_export import (  # imports torch and Ultralytics: only once it is clear what to do
            Order,
            deliver,
        )

        folder = run_folder(options)
        out = options.out or folder.study(study.sampler_name) / "export" / record.name.replace(" ", "-")
        order = Order(study, record, options.format, out, options.data, options.images)
        for line in deliver(order, store, folder):
            print(line)
    finally:
        store.close()
    return Exit.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.export", description=__doc__)
    add_study_options(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--trial", type=int, metavar="N", help="the trial of that number")
    which.add_argument("--name", metavar="ROW", help="a reference row: parent, a donor, a control")
    which.add_argument("--best-under", metavar="5ms", help="the most accurate feasible network at or under a latency")
    which.add_argument("--knee", action="store_true", help="the network at the knee of the front")
    parser.add_argument(
        "--format",
        default="onnx",
        help="pt, or any of Ultralytics' export formats whose package is installed (default: onnx)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: in the study's folder)")
    parser.add_argument("--data", metavar="YAML", help="the data set, where it has moved since the study began")
    parser.add_argument(
        "--images", type=int, default=8, metavar="N", help="val images to compare ONNX and torch on (default: 8)"
    )
    return parser


def _chosen(options: argparse.Namespace, store: Store, study: StudyEntry) -> TrialRecord:
    records = settled_study(store, study).records
    if options.trial is not None:
        return by_number(records, options.trial)
    if options.name is not None:
        return by_name(records, options.name)
    if options.best_under is not None:
        return best_under(records, milliseconds(options.best_under))
    return at_knee(records, study.objectives)


def _check_format(name: str) -> None:
    from objectives.export.exporter import export_formats

    formats = ("pt", *export_formats())
    if name not in formats:
        near = get_close_matches(name, formats, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise DefinitionError(f"--format is '{name}'; {hint}there are {', '.join(formats)}")


if __name__ == "__main__":
    sys.exit(run_command(main))
