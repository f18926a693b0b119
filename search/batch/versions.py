"""Versions of Python and of the packages that a run uses: those of the submitter, compared with those on the node."""

from __future__ import annotations

import importlib.metadata
import platform

from search.cli.checkup import NEEDED
from search.study.faults import DefinitionError

VERSIONS = "YOLOFRONT_VERSIONS"
"""Environment variable with the versions of the submitter."""
_PACKAGES = ("yolofront", "numpy", "onnxruntime", *NEEDED)
_ABSENT = "is not there"


def installed_versions() -> str:
    """Return the versions of this interpreter: `python 3.12, torch 2.15.0, ...`."""
    return ", ".join(f"{name} {version}" for name, version in _installed().items())


def check_versions(wanted: str) -> None:
    """Compare the versions of this interpreter with those of the submitter.

    Args:
        wanted: Text of `installed_versions`, as it was at the submission.

    Raises:
        DefinitionError: If one differs.
    """
    here = _installed()
    different = []
    for each in wanted.split(", "):
        name, _, version = each.partition(" ")
        if name in here and here[name] != version:
            different.append(f"{name} {here[name]} instead of {version}")
    if different:
        raise DefinitionError(
            f"{platform.node()} has other versions than the machine that submitted the job: {', '.join(different)}; "
            "install the same ones there, or submit with --no-check"
        )


def _installed() -> dict[str, str]:
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **{name: _version(name) for name in _PACKAGES}}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return _ABSENT
