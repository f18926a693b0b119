"""Files of a study's jobs in the run folder: the scripts that were handed in, and the URL of the database."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from search.study.faults import DefinitionError


@dataclass(frozen=True)
class JobFiles:
    """Folder of the jobs of one study."""

    folder: Path

    @property
    def storage(self) -> Path:
        """File with the URL of the database; only its owner can read it."""
        return self.folder / "storage"

    def keep_storage(self, url: str) -> None:
        """Write the URL of the database, which holds a password."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.storage.unlink(missing_ok=True)
        handle = os.open(self.storage, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(url + "\n")

    def keep_script(self, script: str) -> Path:
        """Write a script under the next number. Return its place."""
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.stem) for path in self._scripts()]
        file = self.folder / f"{max(numbers, default=0) + 1:03d}.sh"
        with file.open("x", encoding="utf-8") as opened:
            opened.write(script)
        return file

    def newest(self) -> Path:
        """Return the script that was written last.

        Raises:
            DefinitionError: If there is none.
        """
        scripts = self._scripts()
        if not scripts:
            raise DefinitionError(f"--add: nothing was submitted from {self.folder} yet; submit without --add first")
        return scripts[-1]

    def _scripts(self) -> list[Path]:
        found = [path for path in self.folder.glob("*.sh") if re.fullmatch(r"\d+", path.stem)]
        return sorted(found, key=lambda path: int(path.stem))
