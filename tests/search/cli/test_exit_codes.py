"""The exit code tells a batch system whether the same command may work later."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from search.cli.command import Exit, run_command
from search.store.base import StoreError, StoreUnavailable
from search.study.faults import ComeBackLater, DefinitionError, DefinitionMismatch
from spaces.base import CandidateError, SpaceError


def unavailable(code: int) -> StoreUnavailable:
    """The error of a database whose driver gave this code."""
    cause = sqlite3.OperationalError("away")
    cause.sqlite_errorcode = code
    error = StoreUnavailable("sqlite:///x.db: away")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (unavailable(sqlite3.SQLITE_BUSY), Exit.COME_BACK),
        (unavailable(sqlite3.SQLITE_FULL), Exit.COME_BACK),
        (unavailable(sqlite3.SQLITE_READONLY), Exit.ERROR),
        (StoreError("x.db is no database"), Exit.ERROR),
        (OSError(errno.ENOSPC, "full", "runs"), Exit.COME_BACK),
        (OSError(errno.EACCES, "no access", "runs"), Exit.ERROR),
        (RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nmore"), Exit.COME_BACK),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), Exit.COME_BACK),
        (RuntimeError("CUDA error: unspecified launch failure"), Exit.COME_BACK),
        (ComeBackLater("another worker has trained the parent for longer than 30 min"), Exit.COME_BACK),
        (CandidateError("loss is nan"), Exit.ERROR),
        (DefinitionError("no such study"), Exit.USAGE),
        (SpaceError("no such channel"), Exit.USAGE),
        (DefinitionMismatch("other data"), Exit.MISMATCH),
    ],
    ids=str,
)
def test_only_what_may_pass_by_itself_or_elsewhere_comes_back(
    error: Exception, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_arguments: list[str]) -> int:
        raise error

    assert run_command(command, []) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("text", ["CUDA error: device-side assert triggered", "CUDA error: an illegal memory access"])
def test_a_fault_of_a_gpu_program_is_a_fault_of_ours(text: str) -> None:
    def command(_arguments: list[str]) -> int:
        raise RuntimeError(text)

    with pytest.raises(RuntimeError):  # shown as one line where the tests do not ask for tracebacks
        run_command(command, [])
