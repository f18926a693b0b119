"""Find which channel counts a target runs fastest: `yolofront widths --provider cpu --threads 1`.

Times a plain block of convolutions at many widths and prints the multiple for a study's space. Give the options of the
study's target: the answer holds for that target only.
"""

from __future__ import annotations

import sys

from search.cli.command import Exit, run_command
from spaces.command_line import CommandParser, Verbosity, verbosity
from spaces.shown import print_line, print_over


def main(arguments: list[str]) -> int:
    """Run the command line; exits with 1 if the times do not settle the multiple."""
    options = _parser().parse_args(arguments)
    from objectives.runtimes.catalogue import target_here
    from search.measuring.best_multiple import find_best_multiple  # imports torch: not for --help

    target = target_here(**vars(options))
    print_line(f"target: {target}")
    found = find_best_multiple(target, progress=_show_progress)
    print_line("\n".join(found.lines()))
    return Exit.ERROR if found.steps.multiple is None else Exit.DONE


def _parser() -> CommandParser:
    parser = CommandParser("search.widths", description=__doc__)
    parser.add_argument("--runtime", default="onnxruntime", help="inference engine (default: %(default)s)")
    parser.add_argument("--provider", default="cpu", help="the engine's way of running (default: %(default)s)")
    parser.add_argument("--precision", default="fp32", help="fp32 or fp16 (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images per call (default: %(default)s)")
    parser.add_argument(
        "--imgsz",
        type=int,
        default=320,
        metavar="PX",
        help="image size; the block works on an eighth of it (default: %(default)s: 40 x 40, as at stride 16 of 640)",
    )
    return parser


def _show_progress(text: str) -> None:
    """Overwrite the terminal's line; write nothing to a log."""
    if sys.stderr.isatty() and verbosity() > Verbosity.QUIET:
        print_over(text)


if __name__ == "__main__":
    sys.exit(run_command(main))
