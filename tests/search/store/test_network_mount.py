"""SQLite on a network file system is refused with the remedy; the table of mounts is made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from search import run
from search.cli.checkup import Verdict, check_database
from search.cli.command import Exit, run_command
from search.store.outage import network_mount
from search.store.outage.network_mount import ALLOW, refuse_network_file
from search.store.sql import open_store
from search.store.url import StorageUrlError

Mount = Callable[..., Path]
NETWORK = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "lustre",
    "gpfs",
    "mmfs",
    "beegfs",
    "ceph",
    "fuse",
    "fuse.sshfs",
    "fuse.bindfs",
]


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mount:
    """Writes a table in which folders below the test's own have these types of file systems."""
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(network_mount, "MOUNTS", table)
    monkeypatch.delenv(ALLOW, raising=False)

    def write(**kinds: str) -> Path:
        lines = ["21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw", "22 21 0:5 / /proc rw - proc proc rw"]
        for number, (place, kind) in enumerate(kinds.items(), start=30):
            place = f"{tmp_path.resolve()}/{place}".replace(" ", r"\040")
            lines.append(f"{number} 21 0:{number} / {place} rw,relatime shared:7 master:2 - {kind} server:/x rw")
        table.write_text("\n".join(lines) + "\n")
        return tmp_path

    return write


@pytest.mark.parametrize("kind", NETWORK)
def test_network_file_systems_are_refused(kind: str, mount: Mount) -> None:
    folder = mount(shared=kind)
    with pytest.raises(
        StorageUrlError, match=rf"shared/runs/a.db lies on a network file system \({kind} at .*/shared\)"
    ):
        refuse_network_file(folder / "shared/runs/a.db")


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.fuse-overlayfs"])
def test_local_file_systems_are_not(kind: str, mount: Mount) -> None:
    refuse_network_file(mount(shared=kind) / "shared/a.db")


def test_the_innermost_and_last_mount_counts(mount: Mount) -> None:
    folder = mount(**{"shared": "nfs", "shared/local": "xfs", "shared-not": "ext4"})
    refuse_network_file(folder / "shared/local/a.db")
    refuse_network_file(folder / "shared-not/a.db")
    with pytest.raises(StorageUrlError):
        refuse_network_file(folder / "shared/localised/a.db")


def test_links_and_spaces_are_followed(mount: Mount) -> None:
    folder = mount(**{"my share": "nfs4"})
    (folder / "my share").mkdir()
    (folder / "link").symlink_to(folder / "my share")
    with pytest.raises(StorageUrlError, match="my share"):
        refuse_network_file(folder / "link/a.db")


def test_where_there_is_no_table_nothing_is_refused(tmp_path: Path) -> None:
    refuse_network_file(tmp_path / "a.db", tmp_path / "missing")


def test_a_store_there_is_not_made_unless_it_is_allowed(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    file = mount(shared="nfs4") / "shared/a.db"
    with pytest.raises(StorageUrlError, match=f"{ALLOW}=1 allows it"):
        open_store(f"sqlite:///{file}")
    assert not file.parent.exists()
    assert check_database(f"sqlite:///{file}").verdict is Verdict.BROKEN
    monkeypatch.setenv(ALLOW, "1")
    open_store(f"sqlite:///{file}").close()


def test_a_run_there_ends_as_wrong_usage_in_one_line(mount: Mount, capsys: pytest.CaptureFixture[str]) -> None:
    folder = mount(shared="lustre")
    assert run_command(run.main, ["--study", "nas_head", "--project", str(folder / "shared")]) == Exit.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "network file system" in line and "--storage postgresql://" in line


def test_a_study_on_a_read_only_share_is_read_from_its_copy(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    file = mount() / "shared/a.db"
    open_store(f"sqlite:///{file}").close()
    mount(shared="nfs4")
    monkeypatch.setattr(network_mount, "is_written_to", lambda _: False)
    refuse_network_file(file)
