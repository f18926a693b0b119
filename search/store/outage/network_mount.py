"""Refuses SQLite on file systems whose locks do not hold among machines: there a study would be damaged."""

from __future__ import annotations

import os
import re
from pathlib import Path

from search.store.url import StorageUrlError

MOUNTS = Path("/proc/self/mountinfo")
"""Table of this process's mounts; only Linux has it, and elsewhere nothing is refused."""
ALLOW = "YOLOFRONT_SQLITE_ANYWHERE"
"""Environment variable that, if it is not empty, allows every file system."""
NETWORK = frozenset({
    "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "mmfs", "ncpfs", "nfs",
    "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs",
})  # fmt: skip
"""Types of network and cluster file systems, as the kernel names them."""
LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.ntfs-3g", "fuse.exfat"})
"""Programs behind a FUSE mount that keep files on a disk of this machine, as `fuseblk` does."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


def refuse_network_file(file: Path, mounts: Path | None = None) -> None:
    """Refuse a database file on a network file system.

    Args:
        mounts: Table of mounts; `MOUNTS` by default.

    Raises:
        StorageUrlError: If the file, or the folder that it will be made in, lies on one.
    """
    if os.environ.get(ALLOW) or not is_written_to(file):
        return
    try:
        table = (mounts or MOUNTS).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    kind, place = _mount_of(os.path.realpath(file), table)
    if kind in NETWORK or (kind.partition(".")[0] == "fuse" and kind not in LOCAL_FUSE):
        raise StorageUrlError(
            f"{file} lies on a network file system ({kind} at {place}), which does not keep SQLite's locks; give "
            f"--storage postgresql://... or sqlite:/// on a local disk ({ALLOW}=1 allows it for one machine)"
        )


def is_written_to(file: Path) -> bool:
    """Return whether a database would be used where it lies; one in a folder without write access is copied."""
    return not file.exists() or os.access(file.parent, os.W_OK)


def _mount_of(path: str, table: str) -> tuple[str, str]:
    """Return the type of the file system that a path lies on, and where it is mounted; empty if that is unknown.

    Args:
        path: Absolute, without links; it need not exist.
        table: Text as of `/proc/self/mountinfo`; of mounts at one place the last one counts.
    """
    found, longest = ("", ""), -1
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()[:1]
        if len(fields) < 5 or not kind:
            continue
        place = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields[4])
        if len(place) >= longest and (path == place or path.startswith(place.rstrip("/") + "/")):
            found, longest = (kind[0], place), len(place)
    return found
