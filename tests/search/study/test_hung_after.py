"""The time after which a worker counts as hung, in a study's YAML and on the command line."""

from __future__ import annotations

import pytest

from search.study.definition import load_study
from search.study.difference import definition_differences
from search.study.faults import DefinitionError


def test_it_is_a_time_that_may_change_while_the_study_goes_on() -> None:
    usual, set_to = load_study("nas_head"), load_study("nas_head", hung_after="20m")
    assert (usual.hung_after_s, set_to.hung_after_s) == (None, 1200.0)
    assert load_study("nas_head", ["hung_after=1h30m"]).hung_after_s == 5400.0
    assert definition_differences(usual.as_plain(), set_to.as_plain()) == []


@pytest.mark.parametrize("text", ["soon", "0", "0m"])
def test_anything_else_is_refused_with_what_is_right(text: str) -> None:
    with pytest.raises(DefinitionError, match=f"hung_after is '{text}'; write 20m, 1h30m or a number of seconds"):
        load_study("nas_head", hung_after=text)
