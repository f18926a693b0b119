"""Names of records in another study."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.record.ancestors import Ancestor
from search.record.copied import named_with_study
from search.record.trial import Outcome, TrialRecord

TRIAL = TrialRecord(7, "trial 7", Outcome.COMPLETE, "", {}, None, None, "", {}, 0)


def test_a_trial_is_named_with_its_study_and_so_are_the_trials_before_it() -> None:
    line = (Ancestor("one-shot", "c1", 4), Ancestor("other/trial 2", "c2", 3), Ancestor("trial 3", "c3", 3))
    named = named_with_study(replace(TRIAL, lineage="trial 3", ancestors=line), "nas_head")
    assert (named.name, named.lineage) == ("nas_head/trial 7", "nas_head/trial 3")
    assert [each.name for each in named.ancestors] == ["one-shot", "other/trial 2", "nas_head/trial 3"]


@pytest.mark.parametrize("name", ["parent", "one-shot", "nas_head/trial 7"])
def test_a_reference_row_keeps_its_name(name: str) -> None:
    assert named_with_study(replace(TRIAL, number=None, name=name), "again").name == name


@pytest.mark.parametrize(
    "number, name, is_copied, is_beside",
    [
        (7, "trial 7", False, False),
        (None, "nas_head/trial 7", True, False),
        (None, "nas_head/trial 7 polished", False, True),
        (None, "one-shot", False, True),
    ],
)
def test_a_copied_trial_stands_among_the_trials(
    number: int | None, name: str, is_copied: bool, is_beside: bool
) -> None:
    record = replace(TRIAL, number=number, name=name)
    assert (record.is_copied, record.is_beside_trials) == (is_copied, is_beside)
