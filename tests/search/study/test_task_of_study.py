"""A study has the task of its parent: it aims at that task's accuracy, and what the task lacks is refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.study.definition import load_study, stored_definition
from search.study.faults import DefinitionError

MODEL = "yolo11n-seg.yaml"


@pytest.mark.parametrize(
    ("model", "task", "aim"),
    [
        ("yolov8n.yaml", "detect", "map50_95"),
        ("yolo11n-seg.yaml", "segment", "mask_map50_95"),
        ("yolo11n-pose.yaml", "pose", "pose_map50_95"),
        ("yolo11n-obb.yaml", "obb", "map50_95"),
        ("yolo11n-cls.yaml", "classify", "top1"),
    ],
)
def test_a_study_aims_at_the_accuracy_of_its_task(model: str, task: str, aim: str) -> None:
    definition = load_study("channel_ratio", model=model)
    assert (definition.task, list(definition.objectives)) == (task, [aim, "latency_ms"])
    assert aim in definition.named_quantities
    assert stored_definition(definition.name, definition.as_plain()).as_plain() == definition.as_plain()


def test_a_study_of_a_detector_is_stored_as_before() -> None:
    assert "task" not in load_study("channel_ratio").as_plain()


def test_a_least_accuracy_is_that_of_the_task() -> None:
    definition = load_study("channel_ratio", ["at_least={map50_95: 0.3}"], model=MODEL)
    assert definition.at_least == {"mask_map50_95": 0.3}


def test_objectives_of_the_command_line_are_kept() -> None:
    both = "objectives={mask_map50_95: maximize, map50_95: maximize, latency_ms: minimize}"
    assert list(load_study("channel_ratio", [both], model=MODEL).objectives) == [
        "mask_map50_95",
        "map50_95",
        "latency_ms",
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["objectives={pose_map50_95: maximize, latency_ms: minimize}"],
            "objectives.pose_map50_95 is of the task 'pose', but the parent's is 'segment'",
        ),
        (["target=openvino-cpu-int8"], "target.precision is int8, whose files are scored for detectors alone"),
        (["target={nms: true}"], "target.nms is true, which only files of detectors have"),
        (["recipe.distill=6"], "recipe.distill is above 0, which only detectors are trained with"),
        (["task=depth"], "task is 'depth'"),
    ],
)
def test_what_a_task_lacks_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        load_study("channel_ratio", overrides, model=MODEL)


def test_a_study_has_other_values_for_other_tasks_below_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    own = "tasks: {segment: {parent: {recipe: {epochs: 5}}, recipe: {lr0: 0.5}}}\n"
    file.write_text(f"base: channel_ratio\n{own}", encoding="utf-8")
    boxes, masks = load_study(file), load_study(file, model=MODEL)
    assert (boxes.parent.recipe.fixed["epochs"], boxes.recipe.fixed["lr0"]) == (8, 0.0025)
    assert (masks.parent.recipe.fixed["epochs"], masks.recipe.fixed["lr0"]) == (5, 0.5)
    assert masks.parent.recipe.fixed["batch"] == boxes.parent.recipe.fixed["batch"]
    asked = load_study(file, ["recipe.lr0=0.25", "scale=1"], model=MODEL)
    assert (asked.recipe.fixed["lr0"], "tasks" in asked.as_plain()) == (0.25, False)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("tasks: 3", "tasks is 3; write"),
        ("tasks: {segmnt: {seed: 1}}", "tasks.segmnt is unknown; did you mean segment"),
    ],
)
def test_a_wrong_section_for_tasks_is_refused(tmp_path: Path, section: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"base: channel_ratio\n{section}\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=said):
        load_study(file)


def test_classifiers_are_trained_from_random_weights_by_another_optimizer() -> None:
    definition = load_study("channel_ratio", data="digits-cls", model="yolo11n-cls.yaml")
    assert (definition.parent.recipe.fixed["optimizer"], definition.recipe.fixed["optimizer"]) == ("AdamW", "AdamW")
