"""Several devices are named as in Ultralytics' command line, and the workers take one each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from objectives.device.device_names import devices_of
from search.work.job import jobs_for_workers
from tests.search.work.scripted_workers import job


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("cpu", ("cpu",)),
        ("0", ("0",)),
        ("0,1", ("0", "1")),
        ("[0, 3]", ("0", "3")),
        ("cuda:1", ("cuda:1",)),
        ("", ("",)),
    ],
)
def test_devices_are_read_as_ultralytics_writes_them(text: str, devices: tuple[str, ...]) -> None:
    assert devices_of(text) == devices


def test_workers_take_the_devices_in_turn(tmp_path: Path) -> None:
    jobs = jobs_for_workers(replace(job(tmp_path, "two devices"), device="0,1"), [4, 5, 6])
    assert [(each.index, each.device) for each in jobs] == [(4, "0"), (5, "1"), (6, "0")]
