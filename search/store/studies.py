"""Studies, their frozen facts and the numbers of their workers. Every function runs inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import count, islice
from typing import Any

from sqlalchemy import Connection, func, insert, inspect, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from objectives.base import Direction
from search.store.base import StoreError, StudyEntry, WorkerId
from search.store.columns import database_now
from search.store.models import FrozenRow, StudyRow, WorkerRow
from search.store.statements import insert_if_new, insert_or_replace

_OPTUNA_STUDIES = "studies"


def add_study(
    connection: Connection, name: str, definition: Mapping[str, Any], objectives: Sequence[tuple[str, Direction]]
) -> StudyEntry:
    """See `Store.add_study`."""
    if connection.dialect.name == "postgresql":  # two `--new` at once must not get the same generation
        connection.execute(text(f"LOCK TABLE {StudyRow.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
    newest = connection.scalar(select(func.max(StudyRow.generation)).where(StudyRow.name == name))
    values = {
        "name": name,
        "generation": (newest or 0) + 1,
        "definition": definition,
        "objectives": [[objective, str(direction)] for objective, direction in objectives],
    }
    (study_id,) = connection.execute(insert(StudyRow).values(**values)).inserted_primary_key or (0,)
    study = study_of(connection, int(study_id))
    _refuse_foreign(connection, study.sampler_name)
    return study


def _refuse_foreign(connection: Connection, name: str) -> None:
    """Refuse a new study if Optuna has one of its name already: ours are made later, so it is somebody else's.

    Raises:
        StoreError: If there is one; the transaction is undone.
    """
    if not inspect(connection).has_table(_OPTUNA_STUDIES):
        return
    statement = text(f"SELECT 1 FROM {_OPTUNA_STUDIES} WHERE study_name = :name")
    if connection.execute(statement, {"name": name}).first() is not None:
        raise StoreError(
            f"the database holds an Optuna study '{name}' that was not made by this program, and its trials are not "
            "touched; take another name: --name"
        )


def study_of(connection: Connection, study_id: int) -> StudyEntry:
    """Return a study by its number in the database, with what is frozen by now."""
    (entry,) = studies(connection, StudyRow.id == study_id)
    return entry


def latest_study(connection: Connection, name: str) -> StudyEntry | None:
    """See `Store.latest_study`."""
    newest = select(func.max(StudyRow.generation)).where(StudyRow.name == name).scalar_subquery()
    found = studies(connection, StudyRow.name == name, StudyRow.generation == newest)
    return found[0] if found else None


def studies(connection: Connection, *conditions: Any) -> tuple[StudyEntry, ...]:
    """See `Store.studies`; those that meet the conditions."""
    rows = connection.execute(select(StudyRow.__table__).where(*conditions).order_by(StudyRow.id)).all()
    frozen: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    facts = select(FrozenRow.__table__).where(FrozenRow.study_id.in_([row.id for row in rows])).order_by(FrozenRow.fact)
    for fact in connection.execute(facts):
        frozen[fact.study_id][fact.fact] = fact.content
    return tuple(
        StudyEntry(
            id=row.id,
            name=row.name,
            generation=row.generation,
            definition=row.definition,
            objectives=tuple((name, Direction(direction)) for name, direction in row.objectives),
            frozen=frozen[row.id],
            created=row.created,
        )
        for row in rows
    )


def freeze(connection: Connection, study: StudyEntry, facts: Mapping[str, Any]) -> StudyEntry:
    """See `Store.freeze`."""
    # Sorted, so that two workers freezing the same facts cannot wait for each other in a circle.
    rows = [{"study_id": study.id, "fact": fact, "content": facts[fact]} for fact in sorted(facts)]
    if rows:
        insert_if_new(connection, FrozenRow, rows)
    return study_of(connection, study.id)


def runs(connection: Connection, study: tuple[str, int]) -> set[WorkerId]:
    """Return the runs that have numbers of the study."""
    return set(_runs_by_number(connection, study).values())


def join(
    connection: Connection, study: tuple[str, int], run: WorkerId, workers: int, dead: Collection[WorkerId]
) -> tuple[int, ...]:
    """See `Store.join`.

    Args:
        dead: Runs whose numbers are free.
    """
    if connection.dialect.name == "postgresql":  # two runs at once must not get the same number
        connection.execute(text(f"LOCK TABLE {WorkerRow.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
    taken = {number for number, holder in _runs_by_number(connection, study).items() if holder not in dead}
    numbers = tuple(islice((number for number in count() if number not in taken), workers))
    name, generation = study
    for number in numbers:
        row = {"study": name, "generation": generation, "number": number, "is_free": False, "joined": database_now()}
        insert_or_replace(connection, WorkerRow, row | vars(run))
    return numbers


def leave(connection: Connection, study: tuple[str, int], run: WorkerId) -> None:
    """See `Store.leave`."""
    own = (WorkerRow.host == run.host, WorkerRow.pid == run.pid, WorkerRow.started == run.started)
    connection.execute(update(WorkerRow).where(*_numbers_of(study), *own).values(is_free=True))


def _runs_by_number(connection: Connection, study: tuple[str, int]) -> dict[int, WorkerId]:
    rows = connection.execute(select(WorkerRow.__table__).where(*_numbers_of(study), WorkerRow.is_free.is_(False)))
    return {row.number: WorkerId(row.host, row.pid, row.started) for row in rows}


def _numbers_of(study: tuple[str, int]) -> tuple[ColumnElement[bool], ...]:
    return WorkerRow.study == study[0], WorkerRow.generation == study[1]
