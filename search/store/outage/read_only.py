"""A database file on a medium that cannot be written, such as an archive: it is read from a copy."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import final


@final
class ReadableCopy:
    """Copy of an SQLite file and of what was not yet moved into it, in a temporary folder.

    SQLite must write beside a file in WAL mode even to read it. The copy is deleted with this object.
    """

    def __init__(self, original: Path) -> None:
        folder = Path(tempfile.mkdtemp(prefix="yolofront-read-only-"))
        self._delete = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.file = folder / original.name
        for ending in ("", "-wal"):
            part = original.with_name(original.name + ending)
            if part.exists():
                shutil.copyfile(part, folder / part.name)

    def delete(self) -> None:
        """Delete the copy now."""
        self._delete()
