"""A study is continued as it was defined, begun again on request, and never mixed with another definition."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from search.prepare.study_entry import open_study, select_generation
from search.store.base import Store
from search.store.entries import TargetEntry
from search.store.sql import open_store
from search.study.definition import StudyDefinition, load_study
from search.study.faults import DefinitionError, DefinitionMismatch

FACTS = {"data": "a hash", "weights": None}


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


@pytest.fixture
def definition() -> StudyDefinition:
    return load_study("nas_head")


def test_a_new_study_is_the_first_generation(store: Store, definition: StudyDefinition) -> None:
    generation = select_generation(store, definition, new=False, resume=False)
    study = open_study(store, definition, generation, FACTS)
    assert (study.name, study.generation, study.frozen) == ("nas_head", 1, FACTS)
    assert [name for name, _ in study.objectives] == ["map50_95", "latency_ms"]


def test_the_same_definition_continues_also_with_more_trials(store: Store, definition: StudyDefinition) -> None:
    first = open_study(store, definition, 1, FACTS)
    more = load_study("nas_head", n_trials=500)
    assert select_generation(store, more, new=False, resume=True) == 1
    assert open_study(store, more, 1, FACTS).id == first.id


def test_a_changed_definition_is_refused_with_what_differs(store: Store, definition: StudyDefinition) -> None:
    open_study(store, definition, 1, FACTS)
    changed = load_study("nas_head", ["recipe.lr0=0.5", "controls.one-shot.ratio=0.6"])
    with pytest.raises(DefinitionMismatch, match=r"(?s)one-shot.*recipe\.lr0: stored .*, asked 0\.5.*--new"):
        select_generation(store, changed, new=False, resume=False)


def test_equal_content_under_another_path_continues(store: Store) -> None:
    there, here = (
        load_study("nas_head", name="moved", data=f"/{place}/pets.yaml", model=f"/{place}/best.pt")
        for place in ("there", "here")
    )
    facts: dict[str, str | None] = {"data": "a hash", "weights": "another"}
    first = open_study(store, there, 1, facts)
    assert select_generation(store, here, new=False, resume=True) == 1
    assert open_study(store, here, 1, facts).id == first.id
    with pytest.raises(DefinitionMismatch, match="other content of: data"):
        open_study(store, here, 1, {**facts, "data": "not the same"})
    with pytest.raises(DefinitionMismatch, match=r"data\.source: stored /there/pets\.yaml, asked digits"):
        select_generation(store, load_study("nas_head", name="moved", model="/here/best.pt"), new=False, resume=False)


def test_new_begins_again_and_keeps_the_old_study(store: Store, definition: StudyDefinition) -> None:
    old = open_study(store, definition, 1, FACTS)
    changed = load_study("nas_head", ["recipe.lr0=0.5"])
    generation = select_generation(store, changed, new=True, resume=False)
    new = open_study(store, changed, generation, FACTS)
    assert (new.generation, new.sampler_name) == (2, "nas_head-2")
    assert [study.id for study in store.studies()] == [old.id, new.id]
    assert select_generation(store, changed, new=False, resume=False) == 2


def test_several_workers_of_one_run_begin_one_study(store: Store, definition: StudyDefinition) -> None:
    assert open_study(store, definition, 1, FACTS).id == open_study(store, definition, 1, FACTS).id


def test_there_must_be_something_to_resume(store: Store, definition: StudyDefinition) -> None:
    with pytest.raises(DefinitionError, match="not in the database"):
        select_generation(store, definition, new=False, resume=True)


def test_a_study_is_not_continued_on_another_target(store: Store, definition: StudyDefinition) -> None:
    """After an update of the engine, or on another machine: its milliseconds mean something else."""
    for key, engine in (("one", "onnxruntime 1.31"), ("other", "onnxruntime 1.32")):
        store.add_target(TargetEntry(key, {"engine": engine, "device": "a CPU"}, 10.0))
    open_study(store, definition, 1, {**FACTS, "target": "one"})
    assert open_study(store, definition, 1, {**FACTS, "target": "one"}).frozen["target"] == "one"
    with pytest.raises(DefinitionMismatch, match=r"engine: onnxruntime 1\.31 then, onnxruntime 1\.32 now\. .*--new"):
        open_study(store, definition, 1, {**FACTS, "target": "other"})


def test_other_content_under_the_same_path_is_refused(store: Store, definition: StudyDefinition) -> None:
    open_study(store, definition, 1, FACTS)
    with pytest.raises(DefinitionMismatch, match="other content of: data"):
        open_study(store, definition, 1, {**FACTS, "data": "another hash"})
