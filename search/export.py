"""Export a network of a study: `yolofront export --study nas_head --trial 12 --format onnx`.

The network is measured again and exported. An ONNX file is compared with torch on real images, a `.pt` is read back by
Ultralytics, and the weights and figures are written beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.stored_study import existing_store, find_study
from search.cli.yolo_words import OF_EXPORT
from search.findings.selection import milliseconds, select_network
from search.record.folders import file_stem
from search.record.names import trial_number
from search.study.faults import DefinitionError
from spaces.command_line import CommandParser
from spaces.shown import print_line


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    if options.images < 1:
        raise DefinitionError(f"--images is {options.images}; it must be at least 1")
    under_ms = None if options.best_under is None else milliseconds(options.best_under)
    folder = run_folder(options)
    with existing_store(url_of(options)) as store:
        study = find_study(store, options.study)
        record = select_network(store, study, number=options.trial, name=options.name, under_ms=under_ms)
        from search.finish.network_export import ExportRequest, export_network  # imports torch: not for usage errors

        out = options.out or folder.study(study.sampler_name) / "export" / file_stem(record.name)
        request = ExportRequest(study, record, out, options.format, options.data, options.images)
        for line in export_network(request, store, folder):
            print_line(line)
    return Exit.DONE


def _number(text: str) -> int:
    number = trial_number(text)
    if number is None:
        raise DefinitionError(f"--trial is '{text}'; write a trial's number, or --name {text} for another row")
    return number


def _parser() -> CommandParser:
    parser = CommandParser("search.export", reasons=OF_EXPORT, description=__doc__)
    add_study_options(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--trial", type=_number, metavar="N", help="the trial with that number: 7, or trial-7")
    which.add_argument("--name", metavar="ROW", help="a reference row: parent, a donor, a control")
    which.add_argument("--best-under", metavar="5ms", help="the most accurate feasible network at or under a latency")
    which.add_argument("--knee", action="store_true", help="the network at the knee point of the front")
    parser.add_argument(
        "--format",
        default="onnx",
        help="pt, yolov5 (a .pt for the original YOLOv5's code), or any of Ultralytics' export formats whose package "
        "is installed (default: onnx)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: in the study's folder)")
    parser.add_argument("--data", metavar="YAML", help="the data set, if it has moved since the study began")
    parser.add_argument(
        "--images", type=int, default=8, metavar="N", help="val images to compare ONNX and torch on (default: 8)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
