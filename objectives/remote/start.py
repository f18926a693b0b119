"""Start of `measure.pyz`: checks that the machine has what it needs. Any version of Python can read this file."""

import importlib
import sys

LEAST_PYTHON = (3, 10)
NEEDED = ("numpy", "onnxruntime")


def missing():
    # type: () -> str | None
    """Return what this machine lacks, with the remedy; None if nothing is missing."""
    if sys.version_info < LEAST_PYTHON:
        return "this is Python " + sys.version.split()[0] + "; use 3.10 or newer"
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            return name + " cannot be imported (" + str(error) + "); pip install numpy onnxruntime"
    return None


if __name__ == "__main__":
    lack = missing()
    if lack is not None:
        sys.exit("error: " + lack)
    sys.exit(importlib.import_module("objectives.remote.measure").main(sys.argv[1:]))
