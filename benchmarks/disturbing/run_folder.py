"""A disk that can be filled, a file system that can be blocked, and a clock that can be moved for a study alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

DISK_MIB = 2048
"""Size of the small disk."""
BLOCKED_MIB = 16
"""Size of the file system that can be blocked."""
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


class BlockedFileSystem:
    """File system on which writes can be blocked, as on one whose server does not answer; if this process may do so.

    The kernel holds a process that writes there meanwhile: it cannot be killed.
    """

    def __init__(self, scratch: Path) -> None:
        self._image, self._folder, self._blocks = scratch / "blocked.img", scratch / "blocked", 0
        self._folder.mkdir()
        with self._image.open("wb") as file:
            file.truncate(BLOCKED_MIB << 20)
        made = os.geteuid() == 0 and _succeeds("mkfs.ext4", "-q", str(self._image))
        self._is_mounted = made and _succeeds("mount", "-o", "loop", str(self._image), str(self._folder))
        self.can_be_blocked = self._is_mounted and _succeeds("fsfreeze", "-f", str(self._folder)) and self._thaw()

    @property
    def file(self) -> Path:
        """A file on it."""
        return self._folder / "file"

    def block(self) -> None:
        """Block writes."""
        self._blocks += 1
        if self._blocks == 1:
            _succeeds("fsfreeze", "-f", str(self._folder))

    def free(self) -> None:
        """Take back one block; with the last one, writes go on."""
        self._blocks -= 1
        if self._blocks == 0:
            self._thaw()

    def close(self) -> None:
        """Let all writes go on, and remove it."""
        if self._is_mounted:
            if self._blocks > 0:
                self._thaw()
            _succeeds("umount", "-l", str(self._folder))

    def _thaw(self) -> bool:
        return _succeeds("fsfreeze", "-u", str(self._folder))


def _succeeds(*command: str) -> bool:
    """Run a command. Return whether it is there and succeeds."""
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


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
