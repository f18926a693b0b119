"""Trains `examples/digits.safetensors`, the detector that `make run` begins with, and writes it as one file.

    python -m scripts.digits_detector

It stands for the trained detector that a user brings. On one core it takes about fifteen minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

import yolofront
from search.record.folders import RunFolder
from spaces.base import Candidate
from spaces.networks import checkpoint

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "examples" / "digits.yaml"
WEIGHTS = ROOT / "examples" / "digits.safetensors"
EPOCHS = 120
"""Number of epochs; over the last fifth of them the accuracy on val grows by less than 0.005."""


def trained_detector(folder: Path, epochs: int) -> Candidate:
    """Return the parent of a study with one short trial, trained on the built-in digits.

    Args:
        folder: A new folder for the study.
    """
    settings = {"parent.recipe.epochs": epochs, "donors": [], "controls": [], "recipe.epochs": 1}
    result = yolofront.run("channel_ratio", model=MODEL, n_trials=1, overrides=settings, confirm=False, project=folder)
    checkpoints = checkpoint.CheckpointStore(RunFolder(folder).checkpoints)
    return checkpoint.load(checkpoints.folder(result["parent"].saved_checkpoint))


def write_weights(detector: Candidate, path: Path) -> None:
    """Write a whole detector as one safetensors file in half precision; its header tells structure and classes."""
    network: Any = detector.network
    state = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in network.state_dict().items()
    }
    structure = {
        key: value for key, value in network.yaml.items() if key in ("nc", "scale", "scales", "backbone", "head")
    }
    facts = {"model": json.dumps(structure), "classes": json.dumps(list(detector.classes))}
    save_file(state, path, metadata={"format": "pt", "imgsz": str(detector.imgsz), **facts})


def main() -> None:
    """Train the detector and write its file."""
    parser = argparse.ArgumentParser(prog="python -m scripts.digits_detector", description=__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"epochs of training (default: {EPOCHS})")
    parser.add_argument(
        "--out", type=Path, default=WEIGHTS, help="file to write (default: examples/digits.safetensors)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="digits-detector-") as folder:
        write_weights(trained_detector(Path(folder), args.epochs), args.out)


if __name__ == "__main__":
    main()
