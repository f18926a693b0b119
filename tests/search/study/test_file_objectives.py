"""A study on a target of reduced precision aims at the accuracy of the files for it."""

from __future__ import annotations

import pytest

from search.study.definition import StudyDefinition, load_study
from search.study.faults import DefinitionError
from search.study.retarget import retargeted


def of_nas_head(*overrides: str) -> StudyDefinition:
    return load_study("nas_head", overrides)


@pytest.mark.parametrize(
    ("overrides", "accuracy"),
    [
        (["target=ort-cpu"], "map50_95"),
        (["target=openvino-cpu-int8"], "map50_95_int8"),
        (["target.precision=fp16"], "map50_95_fp16"),
        (["objectives={latency_ms: minimize, map50: maximize}", "target=ort-cpu-int8"], "map50"),
        (["target=ort-cpu-int8", "objectives={latency_ms: minimize, map50_95: maximize}"], "map50_95"),
        (["target=ort-cpu-int8", "objectives.map50_95=maximize"], "map50_95"),
    ],
)
def test_the_accuracy_is_that_of_the_file_unless_objectives_are_chosen(overrides: list[str], accuracy: str) -> None:
    assert set(of_nas_head(*overrides).objectives) == {accuracy, "latency_ms"}


def test_the_file_is_scored_even_if_the_objective_is_the_network() -> None:
    study = of_nas_head("target=ort-cpu-int8", "objectives={map50_95: maximize, latency_ms: minimize}")
    assert study.named_quantities >= {"map50_95", "map50_95_int8"}
    assert "map50_95_fp16" in of_nas_head("further_targets=[ort-cpu-fp16]").named_quantities
    assert "map50_95_int8" not in of_nas_head().named_quantities


def test_a_lower_bound_follows() -> None:
    study = of_nas_head("target=ort-cpu-int8", "at_least={map50_95: 0.8}")
    assert study.at_least == {"map50_95_int8": 0.8}
    assert of_nas_head("target=ort-cpu-int8", "limits={map50_95: {at_least: 0.8}}").at_least == study.at_least


def test_the_accuracy_of_files_that_nobody_makes_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"objectives\.map50_95_int8 is of int8 files, but no target is int8"):
        of_nas_head("objectives={map50_95_int8: maximize, latency_ms: minimize}")


def test_another_target_brings_the_accuracy_of_the_network_back() -> None:
    stored = of_nas_head("target=openvino-cpu-int8").as_plain()
    assert list(retargeted("nas_head", stored, "ort-cpu").objectives) == ["map50_95", "latency_ms"]


def test_a_float_head_makes_another_target_and_is_for_int8_alone() -> None:
    study = of_nas_head("target=ort-cpu-int8", "target.float_head=true")
    assert study.target.name == "ort-cpu-int8-float-head"
    assert "float_head" not in of_nas_head("target=ort-cpu-int8").as_plain()["target"], "stored studies stay equal"
    with pytest.raises(DefinitionError, match=r"float_head is true, but the target is fp32; it is for int8"):
        of_nas_head("target.float_head=true")
