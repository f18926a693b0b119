"""Opens a stored study or begins a new one, and refuses to mix two definitions under one name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objectives.base import Direction
from search.store.base import Store, StudyEntry
from search.store.outage.among_all import once_among_all
from search.study.definition import StudyDefinition, stored_definition
from search.study.difference import NOT_IDENTITY, definition_differences
from search.study.faults import DefinitionError, DefinitionMismatch


def select_generation(store: Store, definition: StudyDefinition, *, new: bool, resume: bool) -> int:
    """Return the generation of the study that a run works on: the latest one, or the next one with `--new`.

    Raises:
        DefinitionMismatch: If the stored definition differs from the one asked for.
        DefinitionError: If `--resume` is asked for and there is nothing to resume.
    """
    stored = store.latest_study(definition.name)
    if stored is None:
        if resume:
            raise DefinitionError(f"--resume: study '{definition.name}' is not in the database; leave --resume out")
        return 1
    if new:
        return stored.generation + 1
    _compare(stored, definition)
    return stored.generation


def with_batch(definition: StudyDefinition, batch: Any) -> StudyDefinition:
    """Return the definition with this `recipe.batch`; None is the default of recipes."""
    plain, changeable = definition.as_plain(), {name: getattr(definition, name) for name in NOT_IDENTITY}
    recipe = {**plain["recipe"], "batch": batch}
    return stored_definition(definition.name, {**plain, **changeable, "recipe": recipe})


def open_study(store: Store, definition: StudyDefinition, generation: int, facts: dict[str, str | None]) -> StudyEntry:
    """Return the stored study of a generation; store it now if it is new.

    Args:
        facts: Content hashes of what the definition names by path (data set, weights).

    Raises:
        DefinitionMismatch: If the stored definition, or the content of a file that it names, is another.
    """

    def stored() -> StudyEntry | None:
        study = store.latest_study(definition.name)
        return study if study is not None and study.generation >= generation else None

    with once_among_all(store, f"open {definition.name}", lambda: stored() is not None):
        study = stored()
        if study is None:
            objectives = [(name, Direction(value)) for name, value in definition.objectives.items()]
            study = store.add_study(definition.name, definition.as_plain(), objectives)
    _compare(study, definition)
    study = store.freeze(study, facts)
    changed = [name for name, value in facts.items() if study.frozen[name] != value]
    if "target" in changed:
        raise DefinitionMismatch(_other_target(store, study.frozen["target"], facts["target"], definition.name))
    if changed:
        raise DefinitionMismatch(
            f"study '{definition.name}' was begun with other content of: {', '.join(changed)}. "
            "Put the files back as they were, or begin again with --new or under another --name"
        )
    return study


def _other_target(store: Store, stored_key: str, key: str | None, name: str) -> str:
    """Return the refusal of a study on another target: latencies of two targets cannot stand on one front."""
    stored, here = store.target(stored_key), store.target(key or "")
    there_is = {} if stored is None else stored.description
    here_is = {} if here is None else here.description
    differ = [
        f"{each}: {there_is.get(each)} then, {value} now"
        for each, value in here_is.items()
        if there_is.get(each) != value
    ]
    return (
        f"study '{name}' measures latency on another target than this machine is now; figures of both cannot be "
        f"compared: {'; '.join(differ)}. Continue it where it ran, or begin again with --new or under another --name"
    )


def _compare(stored: StudyEntry, definition: StudyDefinition) -> None:
    lines = definition_differences(_in_full(stored), definition.as_plain())
    if lines:
        raise DefinitionMismatch(
            f"study '{definition.name}' is stored with another definition:\n  "
            + "\n  ".join(lines)
            + "\nrun the command as before to continue it, or begin again with --new or under another --name"
        )


def _in_full(stored: StudyEntry) -> Mapping[str, Any]:
    """Return the stored definition, with fields that are newer than it at their defaults."""
    try:
        return stored_definition(stored.name, stored.definition).as_plain()
    except DefinitionError:  # of a version with other fields: shown as it is stored
        return stored.definition
