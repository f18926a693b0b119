"""Parts that all commands share: common options, exit codes, one clear line for an error."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from types import FrameType

from objectives.device.gpu_faults import gpu_fault
from search.record.folders import RunFolder, storage_url
from search.store.base import StoreError, StoreUnavailable
from search.store.url import StorageUrlError, mask, parse
from search.study.budget import parse_duration
from search.study.faults import ComeBackLater, DefinitionError, DefinitionMismatch
from spaces.base import CandidateError, SpaceError
from spaces.durable import file_fault, is_full
from spaces.shown import TRACEBACK, is_output_closed, print_error, program_fault, shell_word


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    ERROR = 1
    USAGE = 2  # wrong arguments or a wrong definition: nothing ran
    MISMATCH = 3  # the definition does not match the stored study
    COME_BACK = 75  # a signal, or a fault that may pass: the same command continues later (EX_TEMPFAIL of sysexits.h)
    INTERRUPTED = 130  # SIGINT
    TERMINATED = 143  # SIGTERM


EXIT_OF_SIGNAL: Mapping[int, Exit] = {
    signal.SIGINT: Exit.INTERRUPTED,
    signal.SIGTERM: Exit.TERMINATED,
    signal.SIGUSR1: Exit.COME_BACK,
    signal.SIGUSR2: Exit.COME_BACK,
}
"""The signals that end a command, each with the exit code that follows."""


class Terminated(BaseException):
    """Raised on a signal that ends a command. Not an `Exception`, so that no handler of ordinary errors catches it.

    Args:
        number: Number of the signal.
    """

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__("terminated" if number == signal.SIGTERM else "interrupted; the same command continues")
        self.exit = EXIT_OF_SIGNAL[number]


DEFAULT_PROJECT = Path("runs")


def add_study_options(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add `--study`, `--storage` and `--project`."""
    parser.add_argument("--study", required=required, metavar="NAME", help="study, as in studies/NAME.yaml")
    parser.add_argument(
        "--storage", metavar="URL", help="database (default: $SEARCH_STORAGE, else SQLite in the run folder)"
    )
    parser.add_argument(
        "--project", type=Path, default=DEFAULT_PROJECT, metavar="DIR", help="run folder (default: %(default)s)"
    )


def run_folder(options: argparse.Namespace) -> RunFolder:
    """Return the run folder of the options."""
    return RunFolder(options.project)


def url_of(options: argparse.Namespace) -> str:
    """Return the database URL of the options.

    Raises:
        StorageUrlError: If it is written wrongly.
    """
    url = storage_url(options.storage, run_folder(options))
    parse(url)
    return url


def place_options(folder: RunFolder, url: str) -> str:
    """Return the options that lead another command to the same run folder and database; empty for the defaults."""
    project = None if folder.root == DEFAULT_PROJECT else folder.root
    storage = None if url == storage_url(None, folder) else mask(url)
    given = (("project", project), ("storage", storage))
    return "".join(f" --{name} {shell_word(value)}" for name, value in given if value)


def run_command(command: Callable[[list[str]], int], arguments: list[str] | None = None) -> int:
    """Run a command; errors that users can fix become one line on stderr and an exit code."""
    try:
        with _signals_raise():
            return command(sys.argv[1:] if arguments is None else arguments)
    except BrokenPipeError as error:
        return int(Exit.ERROR) if is_output_closed() else _fail(error, Exit.ERROR)  # such as `| head`: no message
    except KeyboardInterrupt:
        return _fail("interrupted", Exit.INTERRUPTED)
    except Exception as error:
        code = exit_of(error)
        if code is not None:
            return _fail(error, code)
        if os.environ.get(TRACEBACK):
            raise
        return _fail(program_fault(error), Exit.ERROR)  # one line for its user, and how a developer sees more
    except Terminated as end:
        return _fail(end, end.exit)


def exit_of(error: Exception) -> Exit | None:
    """Return the exit code of a command that ends with this error; None if it is a fault of this program."""
    if isinstance(error, ComeBackLater) or _may_pass(error):
        return Exit.COME_BACK
    if isinstance(error, DefinitionMismatch):
        return Exit.MISMATCH
    if isinstance(error, DefinitionError | SpaceError | StorageUrlError) or _is_refused(error):
        return Exit.USAGE
    return Exit.ERROR if isinstance(error, StoreError | CandidateError | OSError) else None


def _may_pass(error: Exception) -> bool:
    """Return whether the same command may work later, or on another node."""
    if isinstance(error, StoreUnavailable):  # it was waited for in vain
        from search.store.faults import works_later  # imports SQLAlchemy, which `--help` need not wait for

        return works_later(error)
    return is_full(error) or gpu_fault(error) is not None


def _is_refused(error: Exception) -> bool:
    """Return whether a database's URL is wrong, as far as its server tells."""
    if not isinstance(error, StoreUnavailable):
        return False
    from search.store.faults import is_wrong_url  # as above

    return is_wrong_url(error)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Let the other signals end a command like Ctrl-C: with a message and without half-written files."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise Terminated(number)

    if threading.current_thread() is not threading.main_thread():  # signals can only be handled there
        yield
        return
    before = {number: signal.signal(number, end) for number in EXIT_OF_SIGNAL if number != signal.SIGINT}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def seconds_of(text: str, option: str = "--timeout") -> float:
    """Return the seconds of `8h`, `90m`, `1h30m`, `45s`, `2d` or a plain number of seconds.

    Args:
        option: Name of the option, for the message.

    Raises:
        DefinitionError: If the text is no duration.
    """
    seconds = parse_duration(text)
    if seconds is None:
        raise DefinitionError(f"{option} is '{text}'; write 8h, 90m, 1h30m or a number of seconds")
    return seconds


def error_line(error: object) -> str:
    """Return an error as one line for the user; an error of a file with its path and a remedy."""
    fault = gpu_fault(error) if isinstance(error, Exception) else None
    if fault is not None:
        return f"the GPU is taken or failed: {fault}; the same command continues"
    return file_fault(error) if isinstance(error, OSError) else str(error)


def _fail(error: object, code: Exit) -> int:
    print_error(error_line(error))
    return int(code)
