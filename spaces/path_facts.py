"""Describes a path in words (absent, a folder, not readable), for messages about wrong files and folders.

Standard library only: the program for other machines (`objectives.remote`) contains this file.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from spaces.shown import shown

_NAMED = 3
_FAULTS = {
    errno.ENAMETOOLONG: "its name is too long",
    errno.ELOOP: "its links lead in a circle",
    errno.EACCES: "it cannot be reached: no permission",
}


def path_fact(path: str | Path) -> str:
    """Return what is true of a path: `it does not exist`, `it is an empty folder`, `it is a link to ...`."""
    try:
        link, found = os.lstat(path), os.stat(path)
    except FileNotFoundError:
        return _absent(path)
    except NotADirectoryError:
        return _below_a_file(Path(path))
    except ValueError:
        return "it holds a null character"
    except OSError as error:
        return _FAULTS.get(error.errno or 0, f"it cannot be read: {error.strerror}")
    via = f"a link to '{shown(os.readlink(path))}', and that is " if stat.S_ISLNK(link.st_mode) else ""
    return f"it is {via}{_kind(path, found)}"


def _absent(path: str | Path) -> str:
    if os.path.islink(path):
        return f"it is a link to '{shown(os.readlink(path))}', which does not exist"
    return "it does not exist"


def _below_a_file(path: Path) -> str:
    file = next(parent for parent in path.parents if parent.exists())
    return f"'{shown(file)}' is a file, so nothing lies below it"


def _kind(path: str | Path, found: os.stat_result) -> str:
    if stat.S_ISDIR(found.st_mode):
        return _folder(path)
    if not stat.S_ISREG(found.st_mode):
        return "neither a file nor a folder"
    return "a file" if found.st_size else "an empty file"


def _folder(path: str | Path) -> str:
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        return f"a folder that cannot be read ({error.strerror})"
    if not names:
        return "an empty folder"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"a folder with {', '.join(shown(name, most=60) for name in names[:_NAMED])}{more}"
