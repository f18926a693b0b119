"""Lines of `--print-config` and `--dry-run` about a budget and about repeated trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from objectives.data.digit_scenes import write_digits
from search.record.number_text import duration
from search.run import main
from search.study.budget import repeats_in_all
from search.study.definition import load_study
from search.work.budget_plan import budget_text, expected_rows, spending_of

NAS_HEAD = ("--study", "nas_head", "--print-config")


def test_the_donors_part_is_that_of_the_definition() -> None:
    definition = load_study("nas_head", budget="300epochs")
    trainings = [definition.recipe_of(donor)["epochs"] for donor in definition.donors]
    trainings += [definition.sparse_recipe_of(donor)["epochs"] for donor in definition.donors if donor.threshold]
    epochs = sum(map(int, trainings))
    spending = spending_of(definition, str(definition.budget), 1)
    assert epochs > 0
    assert spending.donor_epochs(expected_rows(definition)) == epochs
    assert budget_text(definition, 1) == spending.plan_text(expected_rows(definition))
    assert budget_text(definition, 1).startswith(f"budget of 300 epochs: {epochs} for the donors")


def test_a_budget_of_time_is_divided_only_if_the_time_of_an_epoch_is_known() -> None:
    definition = load_study("nas_head", budget="2h")
    assert budget_text(definition, 1) == (
        "budget of 2h of work, 1 repeated training included: --dry-run estimates how it is divided"
    )
    assert budget_text(definition, 0).startswith("budget of 2h of work: --dry-run")
    donors_s = 10.0 * spending_of(definition, str(definition.budget), 0).donor_epochs(expected_rows(definition))
    assert f"budget of 2 h of work: {duration(donors_s)} for the donors" in budget_text(definition, 1, 10.0)


def test_without_a_budget_only_repeated_trainings_are_named() -> None:
    definition = load_study("nas_head")
    assert budget_text(definition, 0) == ""
    assert budget_text(definition, 1) == "then 1 repeated training, to tell the noise"
    assert budget_text(definition, 2) == "then 2 repeated trainings, to tell the noise"
    assert [repeats_in_all(*each) for each in ((None, None), ("2h", None), ("2h", 0), (None, 3))] == [0, 1, 0, 3]


def test_the_printed_configuration_has_budget_and_repeats(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([*NAS_HEAD, "--budget", "300epochs", "--repeat", "2"]) == 0
    printed = capsys.readouterr().out
    assert "\n# budget of 300 epochs: " in printed
    assert " 2 repeated trainings\n" in printed
    assert yaml.safe_load(printed)["budget"] == "300epochs"
    (path := tmp_path / "nas_head.yaml").write_text(printed)
    assert load_study(str(path)).budget == "300epochs"
    assert main([*NAS_HEAD, "--repeat", "2"]) == 0
    printed = capsys.readouterr().out
    assert "\n# then 2 repeated trainings, to tell the noise\n" in printed
    assert "budget" not in yaml.safe_load(printed)


@pytest.mark.slow
def test_the_dry_run_shows_how_the_budget_is_divided(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    scenes = write_digits(tmp_path / "scenes", scenes={"train": 16, "val": 8, "test": 8})
    model = ["--model", "yolov5n.yaml", "--imgsz", "32", "-o", "sampler.name=random"]
    budget = ["--budget", "300epochs", "--project", str(tmp_path / "runs")]
    assert main(["--study", "nas_head", "--data", str(scenes), *model, *budget, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("budget of 300 epochs: ") and line.endswith(" 1 repeated training") for line in lines)
    assert any(line.startswith("the study of 300epochs with one worker: ") for line in lines)
