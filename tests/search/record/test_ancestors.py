"""The line of training behind a network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from search.record.ancestors import Ancestor, joined_lines
from search.record.begun import Begun
from search.record.trial import TrialRecord
from spaces.base import ArchSpec, Origin

FIRST, SECOND, THIRD = (Ancestor(f"trial {n}", f"{n}" * 4, epochs) for n, epochs in enumerate((8, 3, 5)))


def record(*ancestors: Ancestor, epochs: int = 3) -> TrialRecord:
    begun = Begun(
        number=7,
        name="trial 7",
        params={},
        spec=ArchSpec("p", ("a",), (2,), ((0,),)),
        origin=Origin(("parent",)),
        recipe={"epochs": epochs},
        identity="i",
        seed=0,
        started=datetime.now(UTC),
        ancestors=ancestors,
    )
    return begun.complete(checkpoint="7777", evaluations=(), curve=())


def test_a_line_holds_the_epochs_of_all_networks_before() -> None:
    assert record().line_epochs == 3
    assert record(FIRST, SECOND).line_epochs == 14
    assert record(FIRST).line == (FIRST, Ancestor("trial 7", "7777", 3))
    assert replace(record(FIRST), checkpoint=None).line == (FIRST,)


def test_a_network_joined_from_two_lines_counts_what_they_share_once() -> None:
    assert joined_lines((FIRST, SECOND), (FIRST, THIRD)) == (FIRST, SECOND, THIRD)
    assert joined_lines((), (FIRST,)) == (FIRST,)
    assert joined_lines() == ()
