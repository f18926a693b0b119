"""Names under which studies are stored: safe as folders, and never one that means something else."""

from __future__ import annotations

import pytest

from search.study.faults import DefinitionError
from search.study.names import data_name, stored_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("digits", "digits"),
        ("my.yaml", "my"),
        ("sets/bccd/data.yaml", "bccd"),
        ("../blood cells/data.yaml", "blood_cells"),
        ("../../etc/..yaml", "unnamed"),
    ],
)
def test_a_data_set_is_called_like_its_file_or_its_folder(source: str, name: str) -> None:
    assert data_name(source) == name


def test_names_without_a_latin_letter_are_told_apart() -> None:
    names = [data_name(f"{folder}/data.yaml") for folder in ("血细胞", "карты", "🂡")]
    assert len(set(names)) == 3
    assert names[0].startswith("unnamed_") and names[0].isascii() and names[2] == "unnamed"
    assert data_name("血细胞.yaml") == names[0], "the same in each session"


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", ".hidden", "a b", "x" * 81, "data", "nas_head-2", "a\n"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="--name is"):
        stored_name("nas_head", "digits", "digits", name)


def test_a_made_up_name_is_never_one_that_means_something_else() -> None:
    assert stored_name("nas", "set-2.yaml", "digits") == "nas-set_2", "nas-set-2 is what --new makes of nas-set"
    assert stored_name("scratch", "digits", "digits") == "scratch_study"
