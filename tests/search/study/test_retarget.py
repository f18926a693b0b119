"""A stored study with another target: its definition, its name, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives.base import Direction
from search.cli.stored_study import find_study
from search.store.sql import open_store
from search.study.definition import StudyDefinition, load_study, stored_definition
from search.study.faults import DefinitionError
from search.study.retarget import retargeted
from search.work.print_config import print_config

OBJECTIVES = (("map50_95", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE))


def of_nas_head(target: str, *overrides: str, further: str = "[]") -> StudyDefinition:
    stored = load_study("nas_head", [f"further_targets={further}"]).as_plain()
    return retargeted("nas_head", stored, target, overrides)


def test_only_target_controls_and_number_of_trials_differ() -> None:
    stored, new = load_study("nas_head"), of_nas_head("openvino-cpu-int8")
    differ = {key for key, value in new.as_plain().items() if value != stored.as_plain()[key]}
    assert differ == {"target", "controls", "copied_from", "objectives"}
    assert list(new.objectives) == ["map50_95_int8", "latency_ms"], "the accuracy of what runs there"
    assert (new.name, new.copied_from, new.n_trials, new.budget) == ("nas_head@openvino-cpu-int8", "nas_head", 0, None)
    assert (new.target.runtime, new.target.precision) == ("openvino", "int8")
    assert stored_definition(new.name, new.as_plain()).copied_from == "nas_head"


def test_each_generation_and_each_target_has_a_study_of_its_own() -> None:
    stored = load_study("nas_head").as_plain()
    assert retargeted("nas_head-2", stored, "openvino-cpu").name == "nas_head-2@openvino-cpu"
    assert of_nas_head("openvino-cpu", "target.threads=2").name == "nas_head@openvino-cpu-2-threads"
    assert of_nas_head("openvino-cpu", "target.batch=8").name == "nas_head@openvino-cpu-batch_8"  # no generation 8
    assert of_nas_head("ort-cpu", "target.remote=my board").name == "nas_head@my_board-ort-cpu"


def test_a_further_target_that_becomes_the_target_is_no_further_one() -> None:
    new = of_nas_head("openvino-cpu", further="[openvino-cpu, torch-cpu]")
    assert [each.name for each in new.further_targets] == ["torch-cpu"]


def test_a_study_that_trained_every_trial_alike_fills_gaps_by_inheriting() -> None:
    stored = load_study("nas_head", ["inherit=false"]).as_plain()
    assert retargeted("nas_head", stored, "openvino-cpu").inherit


@pytest.mark.parametrize(
    "target, override, message",
    [
        ("openvino", None, "--retarget is 'openvino'; there is no target 'openvino'"),
        ("ort-cpu", None, "--retarget: study 'nas_head' is on ort-cpu; give another target"),
        ("openvino-cpu", "recipe.epochs=5", "-o recipe: a second target takes the study as it is; only target, "),
        ("openvino-cpu", "limits.latency=5", "limits.latency"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(target: str, override: str | None, message: str) -> None:
    with pytest.raises(DefinitionError, match="^" + message):
        of_nas_head(target, *([] if override is None else [override]))


def test_limits_are_in_milliseconds_of_the_other_target() -> None:
    assert of_nas_head("openvino-cpu", "limits.latency_ms=3").upper_limits == {"latency_ms": 3}


def test_no_yaml_says_that_networks_are_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_config(of_nas_head("openvino-cpu"))
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out)
    with pytest.raises(DefinitionError, match="copied_from is set by --retarget"):
        load_study(tmp_path / "mine.yaml")


def test_a_name_without_its_data_means_the_study_on_its_own_target() -> None:
    store = open_store("sqlite://")
    for name in ("nas_head-bccd", "nas_head-bccd@openvino-cpu"):
        store.add_study(name, {}, OBJECTIVES)
    assert find_study(store, "nas_head").name == "nas_head-bccd"
    assert find_study(store, "nas_head-bccd").name == "nas_head-bccd"
    assert find_study(store, "nas_head-bccd@openvino-cpu").name == "nas_head-bccd@openvino-cpu"
    store.close()
