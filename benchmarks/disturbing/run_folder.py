"""A run folder whose disk can be filled, and a clock that can be moved for the processes of a study alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

DISK_MIB = 2048
"""Size of the small disk."""
CLOCK_SOURCE = Path(__file__).with_name("moved_clock.c")
"""Library that shows a process another clock."""


class SmallDisk:
    """Folder on a file system of its own, if this process may mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
        self.can_be_filled = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab") as file:
            while (free := shutil.disk_usage(self.folder).free) > 0:
                with suppress(OSError):  # others write at the same time, and there is less by now
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free)

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder with all that it holds."""
        if self.can_be_filled:
            subprocess.run(["umount", "-l", str(self.folder)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


class MovedClock:
    """Wall clock of the processes that have this environment; seconds that only go forward are left alone."""

    def __init__(self, folder: Path) -> None:
        self._file, self._library = folder / "clock", folder / "moved_clock.so"
        self.move(0)
        compiler = shutil.which("cc")
        if compiler is not None:
            command = [
                compiler,
                "-shared",
                "-fPIC",
                "-O1",
                "-o",
                str(self._library),
                str(CLOCK_SOURCE),
                "-ldl",
                "-lpthread",
            ]
            subprocess.run(command, check=True)

    @property
    def can_be_moved(self) -> bool:
        """True if the clock can be moved: a C compiler has built the library for it."""
        return self._library.exists()

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a process with this clock."""
        if not self.can_be_moved:
            return {}
        return {"LD_PRELOAD": str(self._library), "YOLOFRONT_CHAOS_CLOCK": str(self._file)}

    def move(self, seconds: int) -> None:
        """Let the clock go that many seconds before or behind the true one."""
        self._file.write_text(f"{seconds}\n")
