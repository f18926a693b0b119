"""Checks the ZIP archive of a `.pt` before anything in it is read: its size when inflated, and the checksums.

torch itself inflates whatever an entry says, and does not look at the checksums: a bit that was lost in a download
would change a weight without a word.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from spaces.base import SpaceError

MOST_ENTRIES = 100_000
"""Maximum number of entries: a detector has about one for each tensor."""
MOST_BYTES = 8 * 1024**3
"""Maximum size of all entries together; a large detector with its optimizer takes 1 GB."""
MOST_INFLATED = 10
"""Maximum size of the entries as a multiple of the file's. torch compresses nothing; repacked weights shrink little."""


def check_archive(path: Path) -> None:
    """Check the archive without keeping any of it in memory.

    Raises:
        SpaceError: If it is no archive, it would inflate beyond the bounds, or an entry differs from its checksum.
        OSError: If the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(path, archive)
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise SpaceError(
            f"weights '{path}' are refused: not a file that torch.save wrote, or damaged ({error})"
        ) from error
    if damaged is not None:
        raise SpaceError(
            f"weights '{path}' are refused: '{damaged}' in it differs from its checksum, so the file is damaged; "
            "download or copy it again"
        )


def _check_size(path: Path, archive: zipfile.ZipFile) -> None:
    entries, size = archive.infolist(), path.stat().st_size
    inflated = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES or inflated > MOST_BYTES or inflated > MOST_INFLATED * size:
        raise SpaceError(
            f"weights '{path}' are refused: {size / 2**20:.1f} MiB would inflate to {inflated / 2**20:.0f} MiB "
            f"in {len(entries)} entries"
        )
