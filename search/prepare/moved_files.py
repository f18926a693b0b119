"""Files of a study that lie elsewhere than when it began: equal content under another path is the same.

The stored definition keeps the paths of the beginning. The run folder remembers where their content was found last.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from search.record.folders import RunFolder
from search.study.definition import StudyDefinition
from search.study.difference import BY_CONTENT, values_at
from spaces.durable import update_text
from spaces.foreign.plain_json import Fields, read_json_file


def remember_places(folder: RunFolder, stored: Mapping[str, object], present: StudyDefinition) -> None:
    """Remember where the files that a stored definition names lie now. Their contents have been compared."""
    now = values_at(present.as_plain(), BY_CONTENT)
    moved = {
        old: now[name]
        for name, old in values_at(stored, BY_CONTENT).items()
        if isinstance(old, str) and isinstance(now[name], str) and old != now[name]
    }
    if moved:
        update_text(folder.moved, json.dumps({**_places(folder), **moved}, indent=1))


def present_place(path: str, folder: RunFolder) -> str:
    """Return where a file lies now: at its path, or where a study was continued with the same content."""
    return path if Path(path).exists() else _places(folder).get(path, path)


def writable_data_folder(folder: RunFolder) -> Path:
    """Return the folder for our own files about data sets; a temporary one where the run folder cannot be written."""
    existing = next(each for each in (folder.data.absolute(), *folder.data.absolute().parents) if each.exists())
    return folder.data if os.access(existing, os.W_OK) else _temporary_folder()


def _places(folder: RunFolder) -> dict[str, str]:
    try:
        plain = read_json_file(folder.moved)
    except FileNotFoundError:
        return {}
    fields = Fields.of(plain, f"'{folder.moved}'")
    return {old: fields.text(old) for old in fields.values}


@functools.cache
def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="yolofront-data-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
