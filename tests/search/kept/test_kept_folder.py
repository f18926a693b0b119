"""Finished steps of an interrupted trial: found by the next take, dropped if they do not fit, never fatal."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from objectives.base import Curves, Evaluation, Measurement
from search.kept import takes
from search.kept.figures import Figure, figures_of, plain_figures
from search.kept.folder import KeptFolder
from search.kept.takes import TAKES_UNTIL_FAILED
from search.record.folders import RunFolder

FACTS = {"torch": "2.0", "data": "digits"}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path: Path, said: list[str]) -> KeptFolder:
    return KeptFolder(RunFolder(tmp_path).kept("nas_head"), say=said.append)


def finish_step(folder: KeptFolder, result: object = 3) -> None:
    with folder.work_on("trial 7", lambda: FACTS) as kept:
        kept.keep("measured", result, {"latency": 2.5})


def test_a_finished_step_is_found_by_the_next_take_with_its_seconds(folder: KeptFolder) -> None:
    finish_step(folder)
    with folder.work_on("trial 7", lambda: FACTS) as kept:
        assert (kept.step("measured"), kept.step("trained"), kept.seconds) == (3, None, {"latency": 2.5})


def test_figures_are_kept_to_the_last_digit() -> None:
    curves = Curves(*((0.1, 1 / 3),) * 4)
    figures: list[Figure] = [
        Measurement("latency_ms", 10 / 3, "ms", low=3.1, high=3.4, target="cpu", contended=False),
        Evaluation("val", 10, 1 / 3, *(0.5,) * 10, ap_per_class=(1 / 7, -1.0), curves=curves),
    ]
    assert figures_of(plain_figures(figures)) == figures


def test_what_was_kept_under_other_circumstances_is_dropped_with_one_line(folder: KeptFolder, said: list[str]) -> None:
    finish_step(folder)
    with folder.work_on("trial 7", lambda: {**FACTS, "torch": "2.1"}) as kept:
        assert (kept.step("measured"), kept.seconds) == (None, {})
    assert said == ["what was kept of trial 7 is dropped, it begins again: its torch was 2.0, and is 2.1 now"]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff{", b'{"facts": 1, "steps": 2, "seconds": 3}'])
def test_a_damaged_file_counts_as_nothing(content: bytes, folder: KeptFolder, said: list[str]) -> None:
    finish_step(folder)
    assert folder.root is not None
    (folder.root / "trial-7" / "steps.json").write_bytes(content)
    with folder.work_on("trial 7", lambda: FACTS) as kept:
        assert kept.step("measured") is None
    assert len(said) == 1


def test_what_is_stored_is_deleted_and_all_else_stays(folder: KeptFolder) -> None:
    finish_step(folder)
    with folder.work_on("trial 8", lambda: FACTS) as kept:
        kept.keep("measured", 4, {})
    folder.discard(["trial 7", "trial 9"])
    assert folder.root is not None and os.listdir(folder.root) == ["trial-8"]
    folder.discard(["trial 8"])
    assert not folder.root.exists()


def test_without_a_folder_nothing_is_kept_and_no_fact_is_needed() -> None:
    nothing = KeptFolder()
    with nothing.work_on("trial 7", lambda: 1 / 0) as kept:  # type: ignore[arg-type, return-value]
        kept.keep("measured", 3, {})
        assert kept.training(lambda: 1 / 0) is None  # type: ignore[arg-type, return-value]
    nothing.discard(["trial 7"])


def test_where_nothing_can_be_written_the_study_goes_on_and_says_so_once(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "a file").touch()
    folder = KeptFolder(tmp_path / "a file" / "kept", say=said.append)
    finish_step(folder)
    finish_step(folder)
    assert len(said) == 1 and said[0].startswith("unfinished work is not kept, an interrupted trial begins again: ")


def take(folder: KeptFolder, *, gets_further: bool = False) -> None:
    """A take that works for long enough to count."""
    with folder.work_on("trial 7", lambda: FACTS, tries=4, deaths=2) as kept:
        if gets_further:
            kept.keep("measured", 3, {})
        before, until = folder.earlier_takes("trial 7").takes, time.monotonic() + 10
        while not gets_further and folder.earlier_takes("trial 7").takes == before and time.monotonic() < until:
            time.sleep(0.002)


def test_a_trial_that_never_gets_further_is_given_up_and_getting_further_begins_the_count_again(
    folder: KeptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takes, "COUNTS_AFTER_S", 0.01)
    for _ in range(TAKES_UNTIL_FAILED - 1):
        take(folder)
    assert folder.earlier_takes("trial 7").reason_to_give_up == ""
    take(folder, gets_further=True)
    earlier = folder.earlier_takes("trial 7")
    assert (earlier.takes, earlier.tries, earlier.deaths) == (0, 4, 2)  # earlier deaths do not count any more
    for _ in range(TAKES_UNTIL_FAILED):
        take(folder)
    assert folder.earlier_takes("trial 7").reason_to_give_up.startswith(
        "it was taken up 3 times without getting further"
    )


def test_a_take_that_is_ended_at_once_does_not_count(folder: KeptFolder) -> None:
    for _ in range(2 * TAKES_UNTIL_FAILED):
        with folder.work_on("trial 7", lambda: FACTS):
            pass
    assert folder.earlier_takes("trial 7").takes == 0
