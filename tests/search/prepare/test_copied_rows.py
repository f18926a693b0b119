"""Networks that cannot be copied: those that do not run on the other target, and studies that are not ready."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from search.prepare.copied_rows import CopiedStudy, RowCopier
from search.record.events import say_nothing
from search.record.stopwatch import utc_now
from search.record.trial import Outcome
from search.store.sql import open_store
from search.study.definition import load_study
from search.study.faults import DefinitionError, DefinitionMismatch
from search.trial.workbench import Workbench
from spaces.base import CandidateError
from spaces.networks.checkpoint import CheckpointStore
from tests.search.plausible import plausible_study, store_study

STUDY = load_study("channel_ratio", ["controls=[]"])


class _Everything:
    """Holds every checkpoint that is asked for; none of their networks runs."""

    def __contains__(self, digest: object) -> bool:
        return True

    def get(self, digest: str) -> Any:
        raise CandidateError("the engine does not\nload it")


@pytest.fixture
def copied() -> tuple[RowCopier, CopiedStudy]:
    """A study that is to be copied, and a new one, on a target where nothing runs."""
    store, plausible = open_store("sqlite://"), plausible_study(trials=6)
    source = store.freeze(store_study(store, plausible), {"donors": {}, "data": "d"})
    new = store.add_study("again", {}, source.objectives)
    new = store.freeze(new, {"reference_point": source.frozen["reference_point"]})
    everything = _Everything()
    bench = cast(Workbench, SimpleNamespace(checkpoints=everything))
    copier = RowCopier(definition=STUDY, store=store, study=new, bench=bench, say=say_nothing, clock=utc_now)
    return copier, CopiedStudy.find(store, source.sampler_name, cast(CheckpointStore, everything))


def test_a_network_that_does_not_run_there_is_ruled_out_and_not_tried_again(
    copied: tuple[RowCopier, CopiedStudy],
) -> None:
    copier, source = copied
    records = [each for each in source.here if each.name != "parent"]
    study = copier.copy(source, records)
    rows = copier.store.records(study)
    assert [row.name for row in rows] == [record.name for record in records]
    assert {row.outcome for row in rows} == {Outcome.RULED_OUT}
    assert {row.reason for row in rows} == {"the engine does not load it"}
    assert all(row.value("latency_ms") is None and row.value("flops_g") is not None for row in rows)
    assert copier.store.fronts(study) == ()


def test_without_the_parent_there_is_no_study(copied: tuple[RowCopier, CopiedStudy]) -> None:
    copier, source = copied
    with pytest.raises(CandidateError):
        copier.copy(source, source.here)
    assert copier.store.records(copier.study) == ()


def test_a_study_is_copied_only_when_it_is_ready_and_its_data_is_the_same(
    copied: tuple[RowCopier, CopiedStudy],
) -> None:
    _, source = copied
    source.check(STUDY, "d")
    assert source.left_out_text() == ""
    with pytest.raises(DefinitionMismatch, match="other content of its data"):
        source.check(STUDY, "other")
    gone = CopiedStudy(source.entry, source.records, ())
    with pytest.raises(DefinitionError, match="the weights of 'parent'"):
        gone.check(STUDY, "d")
    count = len(source.records)
    assert gone.left_out_text().startswith(f"{count} of {count} networks of {source.entry.sampler_name} are left out")
