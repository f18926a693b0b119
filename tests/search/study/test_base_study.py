"""A study that takes what it leaves out from another one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from search.study.definition import load_study
from search.study.faults import DefinitionError
from search.study.reading import read_study


def study_file(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_what_a_study_leaves_out_is_its_bases_and_what_it_says_is_its_own(tmp_path: Path) -> None:
    first = study_file(tmp_path, "first", "{description: First., seed: 3, n_trials: 9, recipe: {epochs: 5, batch: 4}}")
    second = study_file(tmp_path, "second", f"{{base: {first}, n_trials: 7, recipe: {{epochs: 2}}}}")
    third = study_file(tmp_path, "third", f"{{base: {second}, seed: 4}}")
    assert read_study(third) == {"description": "", "seed": 4, "n_trials": 7, "recipe": {"epochs": 2}}


def test_a_base_may_be_an_installed_study_and_its_fields_can_be_set(tmp_path: Path) -> None:
    path = study_file(tmp_path, "mine", "{base: imp, donors: [{name: half, from: parent, ratio: 0.5}]}")
    study, base = load_study(path, ["parent.recipe.epochs=50"]), load_study("imp")
    assert study.name == "mine" and [row.name for row in study.donors] == ["half"]
    assert study.controls == base.controls and study.parent.recipe.fixed["epochs"] == 50
    assert "base" not in study.as_plain(), "what is stored is whole"


def test_what_is_printed_is_whole_so_that_it_can_be_saved_as_a_study(tmp_path: Path) -> None:
    study = load_study("nas_head")
    path = study_file(tmp_path, "nas_head", yaml.safe_dump({**study.as_plain(), "n_trials": study.n_trials}))
    assert load_study(path).as_plain() == study.as_plain()


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("nas_hed", "base: no study 'nas_hed'; did you mean nas_head?"),
        ("missing.yaml", "base: there is no study file 'missing.yaml'"),
        ("[imp]", r"base is \['imp'\]; it must be the name of a study"),
    ],
)
def test_a_base_that_is_not_there_is_named(tmp_path: Path, base: str, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        read_study(study_file(tmp_path, "mine", f"base: {base}"))


def test_a_circle_of_bases_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(f"base: {two}")
    two.write_text(f"base: {one}")
    with pytest.raises(DefinitionError, match="in the end its own base"):
        read_study(one)
