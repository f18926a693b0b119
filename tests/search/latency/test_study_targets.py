"""The targets that a study names, and what this machine can measure of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives.data.digit_scenes import write_digits
from objectives.device.target import TargetError
from search.latency.local import IdleWait
from search.latency.study_targets import target_of
from search.prepare.preparation import Preparation, Setting
from search.record.folders import RunFolder
from search.store.base import Store
from search.store.sql import open_store
from search.study.definition import StudyDefinition, load_study
from search.study.faults import DefinitionError


def defined(scenes: Path, *overrides: str) -> StudyDefinition:
    return load_study("nas_head", ["controls=[]", *overrides], model="yolov5n.yaml", data=scenes, imgsz=64)


def preparation(definition: StudyDefinition, store: Store, folder: Path) -> Preparation:
    setting = Setting(folder=RunFolder(folder), device="cpu", scratch=folder / "scratch", idle_wait=IdleWait(tries=1))
    return Preparation(definition=definition, store=store, setting=setting)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_digits(tmp_path_factory.mktemp("data") / "scenes", scenes={"train": 8, "val": 8, "test": 8})


def test_nms_is_a_part_of_a_studys_target_and_of_further_ones(scenes: Path) -> None:
    study = defined(scenes, "target.nms=true", "further_targets=[ort-cpu, {runtime: openvino, nms: true}]")
    names = [each.name for each in (study.target, *study.further_targets)]
    assert names == ["ort-cpu-nms", "ort-cpu", "openvino-cpu-nms"]
    assert target_of(study.target, 64).nms
    assert not target_of(study.further_targets[0], 64).nms


def test_nms_of_a_remote_target_is_refused(scenes: Path) -> None:
    with pytest.raises(DefinitionError, match=r"target.nms is true, but what was measured on jetson is without"):
        defined(scenes, "target={remote: jetson, nms: true}")


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        (
            "target={runtime: torch, nms: true}",
            TargetError,
            "nms is true, which torch has not; use runtime: onnx",
        ),
        (
            "further_targets=[{runtime: torch, nms: true}]",
            DefinitionError,
            r"further_targets\.0 \(torch-cpu-nms\): target: nms is true, which torch has not",
        ),
    ],
)
def test_torchs_nms_is_refused_before_anything_is_trained(
    override: str, error: type[Exception], words: str, scenes: Path, tmp_path: Path
) -> None:
    definition = defined(scenes, override)
    store = open_store("sqlite://")
    with pytest.raises(error, match=words), preparation(definition, store, tmp_path).run():
        pass
    assert store.targets() == ()
    store.close()


@pytest.mark.slow
def test_networks_of_a_study_are_timed_with_nms(scenes: Path, tmp_path: Path) -> None:
    definition = defined(scenes, "target.nms=true")
    store = open_store("sqlite://")
    opening = preparation(definition, store, tmp_path)
    with opening.open_workbench(opening.read_inputs()) as bench:
        latency = bench.latencies.measure(bench.parent.candidate())
    (entry,) = store.targets()
    assert entry.description["nms"] is True
    assert entry.key == latency.target
    store.close()
