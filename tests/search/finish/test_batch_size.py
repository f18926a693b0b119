"""`--batch auto`: measured once, by a process of its own, and then a part of the study's definition."""

from __future__ import annotations

import time
from pathlib import Path

from objectives.data.digit_scenes import write_digits
from search.finish.batch_size import with_measured_batch
from search.finish.run_request import RunRequest
from search.prepare.study_entry import select_generation
from search.record.folders import RunFolder
from search.store.sql import open_store
from search.study.definition import StudyDefinition, load_study


def study(data: Path, batch: int | None = None) -> StudyDefinition:
    return load_study("channel_ratio", name="auto", data=data, model="yolov5n.yaml", imgsz=32, batch=batch, n_trials=3)


def test_the_size_is_measured_once_and_then_belongs_to_the_study(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "scenes", scenes={"train": 40, "val": 2, "test": 2})
    asked, url, said = study(data), f"sqlite:///{tmp_path / 'study.db'}", list[str]()
    request = RunRequest(asked, RunFolder(tmp_path / "runs"), url, measures_batch=True)
    store = open_store(url)
    begun = with_measured_batch(store, request, said.append, time.monotonic() + 300)
    assert begun.definition.recipe.fixed["batch"] == 4, said  # of 40 images, for eight steps an epoch
    assert begun.definition.n_trials == 3 and said[-1] == "batch 4 is the study's from now on"
    assert select_generation(store, begun.definition, new=False, resume=True) == 1

    again = with_measured_batch(store, request, said.append, 0.0)
    assert again.definition == begun.definition and said[-1] == "batch: as it was when the study began"
    assert select_generation(store, study(data, batch=4), new=False, resume=False) == 1, "a number continues it too"
    assert not list((tmp_path / "runs" / "scratch").glob("*"))
    store.close()
