"""Measure how exact our latency figures are, compared with those of other tools.

    python -m benchmarks.latency --out runs/latency
    python -m benchmarks.latency_page --out runs/latency --page docs/results/latency.md

It starts its own load, measures everything in turn on the same machine, prints the tables, and writes `figures.json`.
If it is killed, the same command continues it. Run it on a machine that does nothing else; work of other processes is
recorded. Minutes at full size on two cores: order and spread 28, coverage 0.3, cost 0.5, foreign (contention) 2,
prediction 4.
"""

from __future__ import annotations

from benchmarks.setup.options import results_parser
from benchmarks.timing.parts import PARTS
from benchmarks.timing.run import figures_file, run_latency_benchmark
from benchmarks.timing.tables import latency_tables


def main() -> None:
    """Measure the missing results of the chosen parts, print all tables, write all figures."""
    parser = results_parser(__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be given several times")
    parser.add_argument("--quick", action="store_true", help="a small size of every part, to check that it works")
    parser.add_argument(
        "--provider", default="cpu", help="of onnxruntime: cpu, cuda or tensorrt (default: %(default)s)"
    )
    parser.add_argument("--imgsz", type=int, default=160, metavar="PX", help="image size (default: %(default)s)")
    options = parser.parse_args()
    kind = {"quick": options.quick, "provider": options.provider}
    figures = run_latency_benchmark(options.out, parts=options.part or PARTS, imgsz=options.imgsz, **kind)
    written = figures_file(options.out, **kind)
    print("", *latency_tables(figures), "", f"written: {written}", sep="\n")


if __name__ == "__main__":
    main()
