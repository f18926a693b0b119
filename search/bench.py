"""Measure any network by the project's protocol: `yolofront bench model.onnx --target ort-cpu`.

MODEL is an ONNX file, weights (.pt, .safetensors), a model YAML, a checkpoint's folder, or an architecture as JSON: the
`architecture.json` that `yolofront export` writes, or {"model": "yolov8n.yaml", "classes": 80, "kept":
{"model.1": 24}} with widths or channel numbers of the groups that `yolofront show` lists. It is timed in turn
with a reference: another .onnx, else the smallest stock model of its family.

For another machine: `--pack DIR --study NAME` writes networks and one program that needs only Python, numpy and
onnxruntime. Run there, it measures them; `--unpack DIR --name jetson` stores the results here.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from search.cli.command import Exit, add_study_options, run_command, run_folder, url_of
from search.cli.hard_end import ended_when_hung
from search.store.url import parse
from search.study.faults import DefinitionError
from spaces.command_line import CommandParser, print_progress
from spaces.durable import write_text
from spaces.shown import print_aside, print_json, print_line

TO_OUTPUT = "-"
"""File name that means standard output."""


def main(arguments: list[str]) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    _check(options)
    if options.pack is not None:
        _pack(options)
    elif options.unpack is not None:
        _unpack(options)
    else:
        with ended_when_hung():
            _measure(options)
    return Exit.DONE


def _measure(options: argparse.Namespace) -> None:
    from search.measuring.network import DEFAULT_TARGET, BenchRequest, measure_network  # imports torch: not for --help

    request = BenchRequest(
        options.model,
        target=options.target or DEFAULT_TARGET,
        imgsz=options.imgsz,
        batch=options.batch,
        threads=options.threads or 1,
        reference=options.reference,
        storage=options.storage,
    )
    to_output = options.json == Path(TO_OUTPUT)
    figures = measure_network(request, show_line=print_aside if to_output else print_progress)
    if to_output:
        print_json(figures.as_plain())
        return
    if options.json is not None:
        write_text(options.json, json.dumps(figures.as_plain(), indent=1) + "\n")
    for line in figures.lines():
        print_line(line)


def _pack(options: argparse.Namespace) -> None:
    from search.measuring.pack import PackRequest, pack

    request = PackRequest(
        options.pack,
        options.study,
        run_folder(options),
        url_of(options),
        networks=options.networks,
        front=options.front,
        target=options.target,
        imgsz=options.imgsz,
        batch=options.batch,
        threads=options.threads,
        data=options.data,
        model=options.parent,
        overrides=tuple(options.override),
    )
    plan = pack(request)
    print_line(f"packed {len(plan.networks)} networks and their reference ({plan.compared_with}) into {options.pack}")
    print_line(f"copy that folder to the machine, and there: python {options.pack.name}/measure.pyz")
    print_line(f"then copy results.json back, and here: yolofront bench --unpack {options.pack} --name NAME")


def _unpack(options: argparse.Namespace) -> None:
    from search.measuring.unpack import unpack
    from search.store.sql import open_store

    store = open_store(url_of(options))
    try:
        for line in unpack(store, options.unpack, name=options.name):
            print_line(line)
    finally:
        store.close()


def _check(options: argparse.Namespace) -> None:
    if options.model is None and options.json not in (None, Path(TO_OUTPUT)) and not (options.pack or options.unpack):
        raise DefinitionError(f"--json took '{options.json}' as the file to write; write MODEL before --json")
    modes = [name for name in ("model", "pack", "unpack") if getattr(options, name) is not None]
    if len(modes) != 1:
        raise DefinitionError("give one of MODEL, --pack DIR and --unpack DIR; see --help")
    if options.storage is not None:
        parse(options.storage)
    if options.pack is not None and options.study is None:
        raise DefinitionError("--pack needs --study NAME, the study to take networks from")
    for name in ("imgsz", "batch", "threads", "networks"):
        number = getattr(options, name)
        if number is not None and number < 1:
            raise DefinitionError(f"--{name} is {number}; it must be at least 1")


def _parser() -> CommandParser:
    parser = CommandParser("search.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("model", nargs="?", type=Path, metavar="MODEL", help="network to measure on this machine")
    add("--target", metavar="NAME", help="as `yolofront targets` lists them (default: ort-cpu, or the study's)")
    add("--imgsz", type=int, metavar="PX", help="image size (default: the model's own; an open one must be given)")
    add("--batch", type=int, metavar="N", help="images per call (default: 1, or the file's own)")
    add("--threads", type=int, metavar="N", help="CPU threads (default: 1)")
    add("--reference", type=Path, metavar="FILE", help="an .onnx to compare with, instead of a stock model")
    add(
        "--json",
        nargs="?",
        type=Path,
        const=Path(TO_OUTPUT),
        metavar="OUT",
        help="print all figures as JSON, raw times too, or write them to a file",
    )
    add("--pack", type=Path, metavar="DIR", help="write networks for another machine into a new folder")
    add("--networks", type=int, default=16, metavar="N", help="shapes to pack (default: %(default)s)")
    add("--front", action="store_true", help="pack the networks of the study's front instead")
    add("--unpack", type=Path, metavar="DIR", help="store the results of another machine")
    add("--name", metavar="NAME", help="that machine's name in studies (default: the folder's)")
    add_study_options(parser, required=False)
    add("--data", metavar="YAML", help="with --pack: data set of a study that has not begun, as for search.run")
    add("--model", dest="parent", metavar="FILE", help="with --pack: as --model of search.run")
    add("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="with --pack: as for search.run")
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
