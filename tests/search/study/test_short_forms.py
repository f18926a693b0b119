"""What can be written shortly gives the definition that it would give in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.study.definition import StudyDefinition, load_study
from search.study.faults import DefinitionError

LIMIT = "objectives.latency.limit_ms=5"
INT8 = "{runtime: onnxruntime, precision: int8, threads: 4}"


def defined(*overrides: str) -> StudyDefinition:
    return load_study("nas_head", overrides)


def refused(*overrides: str) -> str:
    with pytest.raises(DefinitionError) as error:
        defined(*overrides)
    return str(error.value)


def written(folder: Path, text: str) -> StudyDefinition:
    path = folder / "small.yaml"
    path.write_text(f"data: digits\nspace: {{type: channels}}\n{text}\n")
    return load_study(path)


# -- a limit on latency ------------------------------------------------------------------------------------------------


def test_a_limit_on_latency_is_the_same_said_both_ways(tmp_path: Path) -> None:
    short, full = defined(LIMIT), defined("limits.latency_ms=5")
    assert short.as_plain() == full.as_plain()
    assert short.upper_limits == {"latency_ms": 5.0}
    in_yaml = [
        written(tmp_path, text).as_plain()
        for text in (
            "objectives: {map50_95: maximize, flops_g: minimize, latency: {limit_ms: 5}}",
            "objectives: {map50_95: maximize, flops_g: minimize}\nlimits: {latency_ms: 5}",
            "objectives: {map50_95: maximize, flops_g: minimize, latency: {limit_ms: 5}}\nlimits: {latency_ms: 5.0}",
        )
    ]
    assert in_yaml[0] == in_yaml[1] == in_yaml[2]
    # Where the study names no objectives, those of every study stay.
    assert written(tmp_path, "objectives: {latency: {limit_ms: 5}}").objectives == full.objectives


def test_no_limit_is_none_and_other_limits_stay() -> None:
    assert defined("objectives.latency.limit_ms=null").upper_limits == {}
    assert defined("limits.flops_g=2", LIMIT).upper_limits == {"flops_g": 2.0, "latency_ms": 5.0}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((LIMIT, "limits.latency_ms=6"), "objectives.latency.limit_ms is 5, but limits.latency_ms is 6; set one"),
        (("objectives.latency.limit_s=5",), "objectives.latency.limit_s is unknown; did you mean limit_ms?"),
        (("objectives.latency.limit_ms=fast",), "limits.latency_ms is 'fast'; it must be a valid number"),
        (("objectives.latency.limit_ms=-1",), "limits.latency_ms is -1.0; it must be above 0"),
        (("objectives.latency=minimize",), "objectives.latency is unknown; did you mean latency_ms?"),
    ],
)
def test_a_wrong_limit_is_named_with_what_is_right(overrides: tuple[str, ...], words: str) -> None:
    assert words in refused(*overrides)


# -- targets -----------------------------------------------------------------------------------------------------------


def test_a_targets_name_stands_for_the_section() -> None:
    short = defined("target=openvino-cpu-int8")
    assert short.as_plain() == defined("target={runtime: openvino, provider: cpu, precision: int8}").as_plain()
    assert defined("target=ort-cpu").as_plain() == defined().as_plain()
    assert defined("target=ort-cpu", "target.threads=4").target.threads == 4


def test_a_name_in_the_file_can_be_changed_field_by_field(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text("data: digits\nspace: {type: channels}\ntarget: openvino-cpu\n")
    target = load_study(path, ["target.threads=2"]).target
    assert (target.runtime, target.threads, target.name) == ("openvino", 2, "openvino-cpu-2-threads")


def test_further_targets_are_names_or_sections() -> None:
    study = defined(f"further_targets=[openvino-cpu, {INT8}, {{runtime: torch, batch: 8}}]")
    assert [each.name for each in study.further_targets] == [
        "openvino-cpu", "ort-cpu-int8-4-threads", "torch-cpu-batch-8",
    ]  # fmt: skip
    full = "{runtime: openvino, provider: cpu, precision: fp32, batch: 1, threads: 1}"
    assert defined("further_targets=[openvino-cpu]").as_plain() == defined(f"further_targets=[{full}]").as_plain()
    assert defined().further_targets == ()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("target=onnxruntime-cpu", "target is 'onnxruntime-cpu'; there is no target 'onnxruntime-cpu'; did you mean"),
        ("further_targets=[open-vino]", "further_targets.0 is 'open-vino'; there is no target 'open-vino'; did you"),
        ("further_targets=[torch-cpu, ort-cpu]", "further_targets.1 is ort-cpu, which is measured already"),
        ("further_targets=[torch-cpu, {runtime: torch}]", "further_targets.1 is torch-cpu, which is measured already"),
        ("further_targets=[{runtim: torch}]", "further_targets.0.runtim is unknown; did you mean runtime?"),
        ("further_targets=[{runtime: torch, threads: 0}]", "further_targets.0.threads is 0"),
    ],
)
def test_a_wrong_target_is_named_with_what_is_right(override: str, words: str) -> None:
    assert words in refused(override)
