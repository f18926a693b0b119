"""Brings a database to the schema that this code knows, by Alembic. Its version table is ours alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from search.store.base import StoreError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

VERSION_TABLE = "yolofront_alembic_version"  # Optuna's is `alembic_version`, under the same URL
HEAD = "0008"
"""Newest revision. It is compared first, so that Alembic is imported only if there is something to do."""


def version(connection: Connection) -> str | None:
    """Return the database's revision; None where our tables do not exist."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()


def upgrade(connection: Connection) -> None:
    """Run what is missing, inside the caller's transaction and lock.

    Raises:
        StoreError: If the database was made by a newer version of this code.
    """
    found = version(connection)
    if found == HEAD:
        return
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, RevisionStep

    scripts = _scripts()
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise StoreError(
            f"the database's schema is '{found}', which is newer than this version knows ('{HEAD}'); "
            "update yolofront, or give another database with --storage"
        )

    def steps(revision: Any, context: MigrationContext) -> list[RevisionStep]:
        return list(scripts._upgrade_revs(HEAD, revision))  # what alembic.command.upgrade itself calls

    options = {"version_table": VERSION_TABLE, "fn": steps}
    context = MigrationContext.configure(connection, opts=options)
    with Operations.context(context):
        context.run_migrations()


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(__file__).parent))
