"""Arguments of Ultralytics' command line reach the study, and each of them that has no meaning here says why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from objectives.recipe import FIELDS
from search.cli.yolo_words import OF_EXPORT, OF_TRAINING, numbers
from search.export import main as export
from search.run import main as run
from search.study.definition import load_study
from search.study.faults import DefinitionError
from spaces.command_line import parser_of

from ultralytics.utils import DEFAULT_CFG_DICT


def _known(main: Callable[[list[str]], int]) -> set[str]:
    return {name.lstrip("-").replace("-", "_") for name in parser_of(main)._option_string_actions}


def test_every_training_argument_is_an_option_a_field_or_told_why_not() -> None:
    told = {*_known(run), *FIELDS, *OF_TRAINING, *OF_EXPORT}
    assert sorted(set(DEFAULT_CFG_DICT) - told) == []


def test_no_word_is_both_an_option_and_told_to_have_no_meaning() -> None:
    assert not set(OF_TRAINING) & (_known(run) | set(FIELDS))
    assert not set(OF_EXPORT) & _known(export)


def test_numbers_are_read_as_ultralytics_writes_them() -> None:
    assert [numbers(text) for text in ("[0,2]", "0, 2", "1")] == [(0, 2), (0, 2), (1,)]


def test_the_part_of_the_data_is_stored_only_if_it_is_not_all() -> None:
    whole = load_study("channel_ratio")
    assert not {"classes", "single_cls", "fraction"} & whole.as_plain()["data"].keys()
    part = load_study("channel_ratio", classes=(0, 2), single_cls=True, fraction=0.1)
    assert part.as_plain()["data"].items() >= {"classes": [0, 2], "single_cls": True, "fraction": 0.1}.items()
    with pytest.raises(DefinitionError, match=r"data.fraction is 1.5"):
        load_study("channel_ratio", fraction=1.5)
