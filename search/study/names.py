"""Name under which a study is stored, and the place of its YAML."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from search.study.faults import DefinitionError
from spaces.path_facts import path_fact
from spaces.suggestion import did_you_mean

INSTALLED = Path(__file__).resolve().parents[2] / "studies"
"""Folder of the studies that come with the project: beside the packages, in a checkout and a wheel alike."""

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
GENERATION = re.compile(r"-(\d+)$")
RETARGETED = "@"
"""Mark between the name of a study and that of another target which its networks were measured on."""
TAKEN = ("data", "checkpoints", "scratch", "yolofront.db", "yolofront.db.locks")


def find_yaml(name_or_path: str | Path) -> Path:
    """Return the YAML file of a study, given by its path, or by its name in ./studies or among the installed ones.

    Raises:
        DefinitionError: If there is none; the nearest name is suggested.
    """
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        if not os.path.isfile(text):
            fact = path_fact(text)
            raise DefinitionError(
                f"there is no study file '{text}': {fact}; give the path of a YAML, or a name: {_listed()}"
            )
        return Path(text)
    for folder in _folders():
        if SAFE.fullmatch(text) and (folder / f"{text}.yaml").is_file():
            return folder / f"{text}.yaml"
    raise DefinitionError(f"no study '{text}'; {did_you_mean(text, study_files(), f'there are {_listed()}')}")


def data_name(source: str) -> str:
    """Return the name of a data set: its file's name, or its folder's if the file is just `data.yaml`."""
    if not source.endswith((".yaml", ".yml")):
        return _safe(source)
    path = Path(source)
    return _safe(path.resolve().parent.name if path.stem in ("data", "dataset") else path.stem)


def stored_name(stem: str, source: str, own_source: str, given: str | None = None) -> str:
    """Return the name that a study is stored under, safe as the name of a folder.

    Args:
        stem: The YAML file's name without its ending.
        source: The data set asked for.
        own_source: The data set that the YAML itself names.
        given: `--name`, which is taken as it is.

    Raises:
        DefinitionError: If the given name is not safe as a folder's name, or means something else there.
    """
    if given is not None:
        return _checked(given)
    name = stem if source == own_source else f"{stem}-{data_name(source)}"
    name = GENERATION.sub(r"_\1", _safe(name))
    return f"{name}_study" if name in TAKEN else name


def retargeted_name(study: str, target: str) -> str:
    """Return the name of a study that takes another study's networks to another target: `nas_head@openvino-cpu`.

    No other study has `@` in its name.

    Args:
        study: Name of the study with the networks; a generation is part of it (`nas_head-2`).
        target: Name of the other target.
    """
    return study + RETARGETED + GENERATION.sub(r"_\1", _safe(target))


def _checked(given: str) -> str:
    if not SAFE.fullmatch(given):
        raise DefinitionError(
            f"--name is {given!r}; it must be up to 80 letters, digits, dots, dashes or underscores, "
            "beginning with a letter or digit"
        )
    if given in TAKEN:
        raise DefinitionError(f"--name is '{given}'; the run folder keeps something else under that name, take another")
    if GENERATION.search(given):
        raise DefinitionError(f"--name is '{given}'; an ending such as -2 is what --new adds, take another")
    return given


def _safe(text: str) -> str:
    """Return the text with everything that a folder's name should not hold replaced.

    Of a name without a Latin letter or digit nothing is left: a part of its hash then tells two such names apart.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip("._-")[:60]
    if safe:
        return safe
    has_letters = any(character.isalnum() for character in text)
    return f"unnamed_{hashlib.sha256(text.encode()).hexdigest()[:6]}" if has_letters else "unnamed"


def _folders() -> Iterable[Path]:
    here = Path("studies")
    return (here, INSTALLED) if here.is_dir() else (INSTALLED,)


def study_files() -> list[str]:
    """Return the names of the study files of this project and of the folder `studies` here."""
    return sorted({path.stem for folder in _folders() for path in folder.glob("*.yaml")})


def _listed() -> str:
    return ", ".join(study_files()) or "none here"
