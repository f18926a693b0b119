"""A target that a database knows is found again on a node, or in a job, with another number of cores."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from objectives.data.digit_scenes import write_digits
from objectives.device.target import Target
from objectives.runtimes import base
from objectives.runtimes.catalogue import target_here
from objectives.timing.reference import reference_candidate
from search.latency.local import IdleWait
from search.latency.stored_target import stored_target
from search.latency.study_targets import target_of
from search.prepare.preparation import Preparation, Setting
from search.record.folders import RunFolder
from search.store.base import Store
from search.store.entries import TargetEntry
from search.store.sql import open_store
from search.study.definition import load_study

CPU = "AMD EPYC (family 25, model 1), 2 cores, x86_64"
ONE = Target("onnxruntime", "cpu", "fp32", 96, 1, 1, CPU.replace(", 2 cores", ""), "an engine", "yolov8n 0f3a")


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(open_store("sqlite://")) as opened:
        yield opened


def add(store: Store, target: Target) -> Target:
    store.add_target(TargetEntry(target.key, target.description(), 5.0, False, None))
    return target


@pytest.mark.parametrize(("threads", "is_same"), [(1, True), (2, False)])
def test_the_number_of_cores_counts_only_where_several_threads_are_timed(
    *, threads: int, is_same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = set()
    for cores in (1, 2):
        monkeypatch.setattr(base, "cpu_fingerprint", lambda cores=cores: f"a CPU, {cores} cores, x86_64")
        keys.add(target_here(imgsz=96, threads=threads).key)
    assert (len(keys) == 1) is is_same


def test_a_target_that_was_stored_with_its_cores_is_found(store: Store) -> None:
    assert stored_target(store, ONE) == ONE
    before = add(store, replace(ONE, device=CPU))
    assert before.key != ONE.key
    assert stored_target(store, ONE) == before


def test_the_target_of_the_study_comes_before_an_older_one(store: Store) -> None:
    older, of_study = (
        add(store, replace(ONE, device=CPU.replace("2 cores", f"{cores} cores"))) for cores in ("4", "2")
    )
    assert stored_target(store, ONE) == older
    assert stored_target(store, ONE, of_study.key) == of_study


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, device="Intel Xeon, 2 cores, x86_64"),
        replace(ONE, device=CPU, engine="a newer engine"),
        replace(ONE, device=CPU, reference="yolo11n 0f3a"),
        replace(ONE, device=CPU, threads=2),
        replace(ONE, device=CPU, remote="jetson"),
    ],
    ids=["model", "engine", "reference", "threads", "machine"],
)
def test_what_matters_makes_another_target(store: Store, other: Target) -> None:
    add(store, other)
    assert stored_target(store, ONE) == ONE


def test_for_two_threads_another_number_of_cores_is_another_target(store: Store) -> None:
    two = replace(ONE, threads=2, device=CPU)
    add(store, replace(two, device=CPU.replace("2 cores", "4 cores")))
    assert stored_target(store, two) == two


def test_a_study_that_was_begun_on_another_number_of_cores_goes_on(store: Store, tmp_path: Path) -> None:
    scenes = write_digits(tmp_path / "scenes", scenes={"train": 8, "val": 8, "test": 8})
    definition = load_study("nas_head", ["controls=[]"], model="yolov5n.yaml", data=scenes, imgsz=64)
    setting = Setting(folder=RunFolder(tmp_path), device="cpu", scratch=tmp_path, idle_wait=IdleWait(tries=1))
    preparation = Preparation(definition=definition, store=store, setting=setting)
    inputs = preparation.read_inputs()
    here = target_of(definition.target, 64).compared_with(reference_candidate(inputs.parent.parent))
    begun_on = add(
        store,
        replace(here, device=here.device.replace(", " + platform.machine(), ", 999 cores, " + platform.machine())),
    )
    with preparation.open_workbench(inputs) as bench:
        assert bench.latencies.target.key == begun_on.key
        assert bench.latencies.source.reference_ms == 5.0
