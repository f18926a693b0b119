"""A file that cannot be written is an error of the file system, whichever library writes it; no part of it is left."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from objectives.export.exporter import run_exporter
from objectives.export.onnx_file import export_onnx
from objectives.export.pt_file import export_pt
from objectives.runtimes.catalogue import runtime_named, target_here
from spaces.base import Candidate
from spaces.durable import REMEDIES, file_fault, require_space, write_bytes
from spaces.networks.checkpoint import CheckpointStore, save
from spaces.networks.parent import Parent

MOST_BYTES = 40_000
"""Size of the largest file that can be written: a limit of the process stands for the disk that is full."""


@pytest.fixture(scope="module")
def candidate() -> Candidate:
    return Parent.load("yolov8n.yaml", classes=2, imgsz=32).candidate()


@pytest.fixture
def full() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def torch_program(candidate: Candidate, folder: Path) -> object:
    target = target_here("torch", "cpu", "fp32", imgsz=32, batch=1, threads=1)
    return runtime_named("torch").export(candidate, folder, target)


WRITERS: dict[str, Callable[[Candidate, Path], object]] = {
    "pt": lambda candidate, folder: export_pt(candidate, folder / "x.pt", {}),
    "onnx": lambda candidate, folder: export_onnx(candidate, folder / "x.onnx"),
    "torchscript": lambda candidate, folder: run_exporter(candidate, folder / "x", file_format="torchscript"),
    "torch": torch_program,
    "checkpoint": lambda candidate, folder: save(candidate, folder / "x"),
    "store": lambda candidate, folder: CheckpointStore(folder).put(candidate),
    "bytes": lambda _, folder: write_bytes(folder / "x.png", bytes(2 * MOST_BYTES)),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.usefixtures("full")
def test_a_full_disk_is_told_and_leaves_no_part_of_a_file(candidate: Candidate, tmp_path: Path, writer: str) -> None:
    with pytest.raises(OSError, match="File too large") as raised:
        WRITERS[writer](candidate, tmp_path)
    assert raised.value.errno == errno.EFBIG
    assert "ulimit -f" in file_fault(raised.value)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_space_is_required_before_a_library_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_space(tmp_path, 1000)
    with pytest.raises(OSError, match=f"File too large: '{tmp_path}'|No space left on device: '{tmp_path}'") as raised:
        require_space(tmp_path, 2**60)
    assert file_fault(raised.value).startswith(f"{tmp_path}: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", REMEDIES)
def test_each_fault_of_a_disk_has_a_remedy(number: int) -> None:
    assert file_fault(OSError(number, "x", "a/b")) == f"a/b: {REMEDIES[number]}"
    assert file_fault(OSError(number, "x")) == REMEDIES[number]
