"""Files of a study's jobs in the run folder: scripts and numbers of what was handed in, and the database's URL."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from search.batch.queued import Submission
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

    def read_storage(self) -> str | None:
        """Return the URL of the database that the jobs use; None if it has no password and stands in the script."""
        return self.storage.read_text(encoding="utf-8").strip() if self.storage.is_file() else None

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

    def note_submission(self, submission: Submission) -> None:
        """Keep the number of jobs that were handed in."""
        with self._submitted.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(submission)) + "\n")

    def submissions(self) -> tuple[Submission, ...]:
        """Return all that was handed in from this folder, oldest first.

        Raises:
            DefinitionError: If the file of them was changed by hand and cannot be read.
        """
        if not self._submitted.is_file():
            return ()
        try:
            lines = self._submitted.read_text(encoding="utf-8").splitlines()
            return tuple(Submission(**json.loads(line)) for line in lines)
        except (ValueError, TypeError) as error:
            raise DefinitionError(
                f"{self._submitted} is damaged; delete it: the jobs themselves are not lost"
            ) from error

    @property
    def _submitted(self) -> Path:
        return self.folder / "submitted.jsonl"

    def _scripts(self) -> list[Path]:
        found = [path for path in self.folder.glob("*.sh") if re.fullmatch(r"\d+", path.stem)]
        return sorted(found, key=lambda path: int(path.stem))
