"""Reading a study's definition: what is accepted, what is refused and with which words, and its identity."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from objectives.base import Direction, Measurement
from objectives.metrics.registry import Tools, objectives_after_training, objectives_before_training
from objectives.quantities import QUANTITIES
from search.study.definition import BETTER, load_study, stored_definition
from search.study.difference import definition_differences
from search.study.faults import DefinitionError
from search.study.limits import LIMITABLE

SMALL = """
data: digits
space: {type: channels}
recipe: {epochs: 3}
"""


def study_file(folder: Path, text: str = SMALL, name: str = "small.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refused(path: Path | str, *overrides: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        load_study(path, overrides)
    return str(caught.value)


# -- reading -----------------------------------------------------------------------------------------------------------


def test_what_is_left_out_has_the_defaults_that_the_readme_names(tmp_path: Path) -> None:
    study = load_study(study_file(tmp_path))
    assert study.name == "small"
    assert study.parent.model == "yolov8n.yaml"
    assert study.objectives == {"map50_95": "maximize", "latency_ms": "minimize"}
    assert (study.target.runtime, study.target.provider, study.target.threads) == ("onnxruntime", "cpu", 1)
    assert (study.accuracy.confidence, study.accuracy.iou) == (0.5, 0.5)


def test_a_definition_cannot_be_changed(tmp_path: Path) -> None:
    study = load_study(study_file(tmp_path))
    with pytest.raises(ValueError, match="frozen"):
        study.seed = 3


def test_a_stored_definition_comes_back_as_it_was(tmp_path: Path) -> None:
    study = load_study(study_file(tmp_path), ["recipe.lr0={low: 1e-4, high: 1e-2, log: true}", "limits.latency_ms=5"])
    again = stored_definition(study.name, json.loads(json.dumps(study.as_plain())))
    assert again.as_plain() == study.as_plain()
    assert again.recipe.searched == study.recipe.searched
    assert again.upper_limits == {"latency_ms": 5.0}


def test_reading_a_study_loads_no_torch() -> None:
    code = "import sys; from search.study.definition import load_study; load_study('nas_head')"
    code += "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_e_minus_four_is_a_number_as_everybody_means_it(tmp_path: Path) -> None:
    study = load_study(study_file(tmp_path, SMALL.replace("epochs: 3", "lr0: 1e-4, weight_decay: 5E-4")))
    assert study.recipe.fixed == {"lr0": 1e-4, "weight_decay": 5e-4}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data: digits\ndata: other\n", "key 'data' stands twice"),
        ("recipe: {epochs: 3, epochs: 4}\n", "key 'epochs' stands twice"),
        ("data: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("data: [\n", "line 2"),
        ("data: " + "[" * 20_000, "nested too deeply"),
        ("#" * (2**20 + 1), "larger than 1 MiB"),
        ("- a\n- b\n", "holds a list"),
        ("", "holds nothing"),
    ],
)
def test_yaml_that_is_not_plain_is_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(study_file(tmp_path, text))


# -- words for what is wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("recipe.epoch=5", "recipe.epoch is unknown; did you mean epochs?"),
        ("recip=4", "recip is unknown; did you mean recipe?"),
        ("recipe.epochs=many", "recipe.epochs is 'many'; it must be a number"),
        ("recipe.epochs=0", "recipe.epochs is 0; it must be at least 1"),
        ("recipe.lr0=.nan", "recipe.lr0 is nan; it must be a number"),
        ("recipe.imgsz=100", "recipe.imgsz is 100; it must be a multiple of 32, such as 96"),
        ("recipe.imgsz={choices: [96, 112]}", "recipe.imgsz is 112; it must be a multiple of 32, such as 128"),
        ("recipe.imgsz={low: 96, high: 176}", "recipe.imgsz is 176; it must be a multiple of 32, such as 192"),
        ("recipe.imgsz={low: 96, high: 192, step: 48}", "recipe.imgsz.step is 48; it must be a multiple of 32"),
        ("parent.recipe={imgsz: 64}", "parent.recipe.imgsz is not set here; the parent has the study's image size"),
        (
            "controls=[{name: a, from: parent, ratio: 0.5, recipe: {imgsz: {choices: [64, 96]}}}]",
            "controls.0.recipe.imgsz is a range; only the study's own recipe is searched",
        ),
        ("recipe.lr0={low: 1e-3, high: 1e-4}", "recipe.lr0.low is 0.001; it must be below high, 0.0001"),
        ("recipe.lr0={low: 0.1}", "recipe.lr0.high is missing"),
        ("recipe.lr0={low: 0.1, hihg: 0.2}", "recipe.lr0.hihg is unknown; did you mean high?"),
        ("recipe.lr0={low: 1e-4, high: 1e-2, log: 1}", "recipe.lr0.log is 1; it must be true or false"),
        ("recipe.lr0={low: 0.1, high: 0.5, step: 0.3}", "recipe.lr0.step is 0.3; it must divide the range"),
        ("recipe.lr0={low: 0.1, high: 0.5, step: 0.1, log: true}", "step and log exclude each other"),
        ("recipe.fliplr={low: 0.0, high: 0.5, log: true}", "must be above 0 on a logarithmic range"),
        ("recipe.epochs={low: 1, high: 9, log: true}", "a whole number has no logarithmic range"),
        ("recipe.optimizer={low: 1, high: 2}", "is not a number and has no range; write {choices: [...]}"),
        ("recipe.optimizer={choices: [SGD, Adamm]}", "recipe.optimizer is 'Adamm'; it must be one of"),
        ("recipe.optimizer={choices: [SGD]}", "it must list at least two values"),
        ("recipe.optimizer={choices: [SGD, sgd]}", "each value may stand only once"),
        ("recipe=3", "recipe is 3; it must be a section of fields"),
        ("parent.recipe={lr0: {low: 1e-5, high: 1e-4}}", "parent.recipe.lr0 is a range; only the study's own recipe"),
        ("parent.model=best.pt", "parent.model is 'best.pt'; it must be a .yaml"),
        ("data.imgsz=100", "data.imgsz is 100; it must be a multiple of 32"),
        ("space.type=chanels", "space.type is chanels; it must be one of graft, channels"),
        ("space.stp=1", "space.stp is unknown; did you mean step?"),
        ("space.step=0.3", "space.step is 0.3; it must divide the range from 0.5 to 1.0"),
        ("space.type=graft", "donors is empty; a graft takes its backbone and its head from donors"),
        ("donors=[{name: a, from: b, ratio: 0.5}]", "donors.0.from is 'b'; it must be one of parent"),
        ("donors=[{name: parent, from: parent, ratio: 0.5}]", "neither parent nor scratch"),
        ("donors=[{name: a, from: parent, ratio: 2}]", "donors.0.ratio is 2; it must be at most 1"),
        ("donors=[{name: a, from: parent}]", "donors.0.ratio is missing"),
        ("controls=[{name: a, frm: scratch, ratio: 0.5}]", "controls.0.frm is unknown; did you mean from?"),
        ("donors=[{name: a, from: parent, ratio: 0.5, flops: 0.5}]", "donors.0.flops and ratio exclude each other"),
        ("donors=[{name: a, model: yolov8s.yaml}]", "donors.0.model is set; a donor is cut from the parent"),
        ("controls=[{name: a, model: yolov8s.yaml, cut: global}]", "controls.0.cut is set, and so is model"),
        ("controls=[{name: a, model: yolov8s.yaml, from: parent}]", "controls.0.from is set, and so is model"),
        ("controls=[{name: a, from: parent, cut: sensitivity, ratio: 0.5}]", "means nothing to a cut by sensitivity"),
        ("controls=[{name: a, from: parent, cut: slimming, ratio: 0.5}]", "slimming ranks by BatchNorm's scales"),
        (
            "controls=[{name: a, from: parent, criterion: batchnorm, ratio: 0.5}]",
            "controls.0.criterion is 'batchnorm', but parent is not trained with sparsity",
        ),
        ("space.criterion=random", "space.criterion is 'random'; it must be 'l1', 'l2', 'lamp', 'taylor' or"),
        ("limits.latency=5", "limits.latency is unknown; did you mean latency_ms?"),
        ("limits.latency_ms=-5", "limits.latency_ms is -5.0; it must be above 0"),
        ("objectives={map50_95: minimize, latency_ms: minimize}", "objectives.map50_95 is 'minimize'; it must be max"),
        ("objectives={map50_95: maximize, memory: minimize}", "objectives.memory is unknown; did you mean memory_mib?"),
        (
            "objectives={map50_95: maximize, joules: minimize}",
            "joules is unknown; known are map50_95, map50, map75",
        ),
        ("limits={map50_95: 0.5}", "limits.map50_95 is unknown; known are latency_ms, flops_g, parameters, size_mib"),
        ("objectives={map50_95: maximize}", "objectives names 1; a front needs two or more"),
        ("sampler.name=tpee", "sampler.name is 'tpee'; it must be 'front', 'tpe', 'optuna'"),
        ("rungs.rule=asha", "rungs.rule is 'asha'; it must be 'front', 'mo-asha' or 'none'"),
        ("n_trials=-1", "n_trials is -1; it must be at least 0"),
        ("n_trials=true", "n_trials is True; it must be a valid integer"),
        ("seed='1'", "seed is '1'; it must be a valid integer"),
        ("name=mine", "name is set by --name"),
    ],
)
def test_an_error_names_the_field_the_value_and_what_is_right(tmp_path: Path, override: str, words: str) -> None:
    assert words in refused(study_file(tmp_path), override)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    message = refused(study_file(tmp_path), "seed=x", "data.imgsz=33")
    assert "seed" in message
    assert "data.imgsz" in message


def test_a_searched_number_of_epochs_does_not_leave_the_donors_with_a_hundred(tmp_path: Path) -> None:
    donor = "donors=[{name: a, from: parent, ratio: 0.5}]"
    searched = "recipe.epochs={low: 2, high: 6}"
    assert "donors.0.recipe.epochs is missing" in refused(study_file(tmp_path), donor, searched)
    study = load_study(study_file(tmp_path), [donor, searched, "donors.a.recipe.epochs=4"])
    assert study.recipe_of(study.donors[0]) == {"epochs": 4}


def test_donors_take_the_trials_recipe_and_their_own_fields_win(tmp_path: Path) -> None:
    study = load_study(study_file(tmp_path), ["donors=[{name: a, from: parent, ratio: 0.5, recipe: {lr0: 0.1}}]"])
    assert study.recipe_of(study.donors[0]) == {"epochs": 3, "lr0": 0.1}


# -- the command line over the file ------------------------------------------------------------------------------------


def test_the_command_line_wins_over_the_file_and_overrides_win_over_both(tmp_path: Path) -> None:
    path = study_file(tmp_path)
    study = load_study(path, ["recipe.epochs=7"], epochs=5, batch=4, imgsz=160, seed=9, n_trials=2)
    assert study.recipe.fixed == {"epochs": 7, "batch": 4}
    assert (study.data.imgsz, study.seed, study.n_trials) == (160, 9, 2)


def test_a_model_is_a_structure_or_weights(tmp_path: Path) -> None:
    path = study_file(tmp_path, SMALL + "parent: {weights: old.pt}\n")
    structure = load_study(path, model="yolo11n.yaml").parent
    assert (structure.model, structure.weights) == ("yolo11n.yaml", None)
    assert load_study(path, model="best.pt").parent.weights == "best.pt"
    assert load_study(path, model=tmp_path).parent.weights == str(tmp_path)
    with pytest.raises(DefinitionError, match=r"--model is 'best\.onnx'; give a"):
        load_study(path, model="best.onnx")


def test_a_study_is_found_by_its_name_here_first_and_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_study("nas_head").data.source == "digits", "the installed one"
    (tmp_path / "studies").mkdir()
    study_file(tmp_path / "studies", SMALL.replace("digits", "mine.yaml"), "nas_head.yaml")
    assert load_study("nas_head").data.source == "mine.yaml"
    assert load_study("studies/nas_head.yaml").data.source == "mine.yaml"


@pytest.mark.parametrize("name", ["nas_hed", "nas-head", "NAS_head"])
def test_a_misspelt_study_is_answered_with_the_nearest_name(name: str) -> None:
    assert refused(name) == f"no study '{name}'; did you mean nas_head?"


def test_an_unlike_name_is_answered_with_what_there_is() -> None:
    assert "there are baseline, channel_ratio, combined, imp, nas_distill" in refused("zzz")
    assert "there is no study file 'zzz.yaml'" in refused("zzz.yaml")


# -- names and identity ------------------------------------------------------------------------------------------------


def test_a_study_on_other_data_is_another_study(tmp_path: Path) -> None:
    path = study_file(tmp_path)
    assert load_study(path, data="digits").name == "small"
    assert load_study(path, data="sets/bccd/data.yaml").name == "small-bccd"
    assert load_study(path, ["data=my.yaml"]).name == "small-my"
    assert load_study(path, data="my.yaml", name="first_try").name == "first_try"


def test_more_trials_and_other_words_are_the_same_study(tmp_path: Path) -> None:
    stored = load_study(study_file(tmp_path)).as_plain()
    asked = load_study(study_file(tmp_path), ["description=Other words."], n_trials=500).as_plain()
    assert stored == asked
    assert definition_differences({**stored, "n_trials": 1}, {**asked, "n_trials": 2}) == []


def test_each_difference_is_a_line_of_its_own(tmp_path: Path) -> None:
    def plain(*overrides: str) -> dict[str, object]:
        return load_study("nas_head", overrides).as_plain()

    lines = definition_differences(
        plain("limits.latency_ms=5"),
        plain("recipe.epochs=5", "controls.one-shot.ratio=0.6", "recipe.lr0={low: 1e-4, high: 1e-2, log: true}"),
    )
    assert "recipe.epochs: stored 3, asked 5" in lines
    assert "controls.one-shot.ratio: stored 0.7, asked 0.6" in lines
    assert "limits.latency_ms: stored 5.0, asked nothing" in lines
    assert "recipe.lr0.log: stored nothing, asked true" in lines


def test_a_study_can_aim_at_what_an_objective_measures_and_at_nothing_else() -> None:
    tools = Tools(parent_parameters=1, latency=lambda candidate, limit_ms: Measurement("latency_ms", 1.0))
    before = [each for one in objectives_before_training(tools, QUANTITIES) for each in one.quantities]
    after = [each for one in objectives_after_training(QUANTITIES) for each in one.quantities]
    assert sorted(each.name for each in (*before, *after)) == sorted(QUANTITIES)
    assert set(BETTER) == {each.name for each in (*before, *after) if each.direction is not None}
    assert set(LIMITABLE) == {each.name for each in before if each.direction is Direction.MINIMIZE}


def test_the_plain_values_are_yaml_that_can_be_saved_as_a_study(tmp_path: Path) -> None:
    study = load_study("nas_head")
    again = load_study(study_file(tmp_path, yaml.safe_dump(study.as_plain(), sort_keys=False)))
    assert again.as_plain() == study.as_plain()
