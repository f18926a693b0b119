"""Time to build a candidate, ours and torch-pruning's, and time to know the cost of 10,000 specs without building.

    python -m benchmarks.build --out runs/build.json

All prune YOLOv8n to half of each layer's channels, in turn, with one torch thread. Ours decodes the parameters of a
space and builds the network from a parent whose structure is known. torch-pruning builds its dependency graph and takes
one pruning step: once as in its own example for YOLOv8, once in its leanest way, traced on a small image. The copy of
the network that it prunes, and the rewriting of C2f without which it cannot read the network, are not counted.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.building.measurement import IMAGE_SIDE, WIDTH_MULTIPLE, build_tables, measure_builds
from benchmarks.setup.results import write_json
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace


def main() -> None:
    """Measure, print two tables, write all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="repeats of each build; medians are printed")
    parser.add_argument("--specs", type=int, default=10_000, help="number of specs to decode, key and cost")
    parser.add_argument("--seed", type=int, default=0, help="seed of the specs' parameters")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parent = Parent.load("yolov8n.yaml", classes=80, imgsz=IMAGE_SIDE)
    orders = order(parent.candidate(), parent)
    space = ChannelRatioSpace(parent, orders, low=0.25, high=1.0, step=None, multiple=WIDTH_MULTIPLE)
    figures = measure_builds(parent, space, repeats=options.repeats, specs=options.specs, seed=options.seed)
    print(build_tables(figures))
    if options.out is not None:
        write_json(options.out, asdict(figures))


if __name__ == "__main__":
    main()
