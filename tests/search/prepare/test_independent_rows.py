"""Rows that a second worker trains while the first one is busy with others."""

from __future__ import annotations

from search.prepare.reference_rows import independent_rows
from search.study.definition import load_study


def test_the_second_worker_takes_what_the_first_row_does_not_lead_to() -> None:
    study = load_study("nas_head")
    found = [row.name for row in independent_rows((*study.donors, *study.controls))]
    assert found[:3] == ["one-shot", "round-2", "round-3"]
    assert {"uniform-0.5", "width-0.5", "nas_final", "one-shot-nas_final"} <= set(found)
    assert not {"taylor-1", "taylor-2"} & set(found), "the first worker trains them"


def test_the_rows_of_one_chain_are_left_to_one_worker() -> None:
    study = load_study("taylor_rounds")
    rows = [row.name for row in independent_rows(study.donors)]
    assert rows == []
    assert independent_rows(()) == []
