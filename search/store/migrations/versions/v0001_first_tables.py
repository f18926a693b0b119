"""The first tables: studies, attempts, records, fronts, trained networks, targets, latencies.

Frozen: it says what was released, and takes nothing from `models`, which go on changing. There is no way down;
a database is restored from a backup.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def _id() -> sa.Column[int]:
    return sa.Column("id", BIG_ID, primary_key=True)


def _text(name: str, *, null: bool = False, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=null, primary_key=key)


def _whole(name: str, *, null: bool = False, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null, primary_key=key, autoincrement=False)


def _figure(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=null)


def _plain(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=null)


def _refers(
    table: str, column: str, target: str, *, null: bool = False, key: bool = False
) -> list[sa.schema.SchemaItem]:
    """Return a column that refers to another table, with its constraint."""
    kind = sa.String() if target.endswith(".key") else BIG_ID
    return [
        sa.Column(column, kind, nullable=null, primary_key=key, autoincrement=False),
        sa.ForeignKeyConstraint([column], [f"yolofront_{target}"], name=f"fk_yolofront_{table}_{column}"),
    ]


def _table(name: str, *items: sa.schema.SchemaItem, unique: tuple[str, ...] = ()) -> None:
    """Create a table; `unique` lists columns, joined by commas, that are unique together."""
    constraints = []
    for columns in unique:
        names = columns.split(",")
        constraints.append(sa.UniqueConstraint(*names, name=f"uq_yolofront_{name}_{'_'.join(names)}"))
    keys = [item.name for item in items if isinstance(item, sa.Column) and item.primary_key]
    for item in items:
        if isinstance(item, sa.Column):
            item.primary_key = False
    primary = sa.PrimaryKeyConstraint(*keys, name=f"pk_yolofront_{name}")
    op.create_table(f"yolofront_{name}", *items, primary, *constraints)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_yolofront_{table}_{'_'.join(columns)}", f"yolofront_{table}", list(columns))


def upgrade() -> None:
    """Create everything."""
    _studies()
    _architectures()
    _records()
    _fronts()
    _latencies()


def _studies() -> None:
    _table(
        "studies", _id(), _text("name"), _whole("generation"), _plain("definition"), _plain("objectives"),
        _moment("created"), unique=("name,generation",),
    )  # fmt: skip
    _table("frozen", *_refers("frozen", "study_id", "studies.id", key=True),
           _text("fact", key=True), _plain("content"))  # fmt: skip
    _table(
        "attempts", _id(), *_refers("attempts", "study_id", "studies.id"), _text("state"), _text("token"),
        _whole("number", null=True), _whole("tries"), _plain("params", null=True), _text("identity", null=True),
        _text("worker_host"), _whole("worker_pid"), _figure("worker_started"), _moment("heartbeat"),
        _moment("opened"), unique=("study_id,number",),
    )  # fmt: skip
    _index("attempts", "study_id", "state")
    _index("attempts", "study_id", "identity")
    _table("reports", *_refers("reports", "attempt_id", "attempts.id", key=True), _whole("epoch", key=True),
           *_learning_curve())  # fmt: skip


def _learning_curve() -> list[sa.Column[float]]:
    return [_figure(name) for name in ("map50_95", "map50", "loss", "seconds")]


def _architectures() -> None:
    _table("layouts", _text("key", key=True), _text("parent"), _plain("group_names"), _plain("widths"))
    _table(
        "architectures", _text("key", key=True), _text("shape_key"),
        *_refers("architectures", "layout_key", "layouts.key"), sa.Column("masks", sa.LargeBinary, nullable=False),
    )  # fmt: skip
    _index("architectures", "shape_key")
    _table("origins", _text("key", key=True), _plain("layers"))


def _records() -> None:
    _table("trained", _id(), _text("key"), _text("name"), _text("parent"), _text("lineage", null=True),
           _moment("created"), unique=("key",))  # fmt: skip
    _index("trained", "parent")
    _table(
        "records", _id(), *_refers("records", "study_id", "studies.id", null=True),
        *_refers("records", "trained_id", "trained.id", null=True), _whole("number", null=True), _text("name"),
        _text("outcome"), _text("reason"), _plain("params"),
        *_refers("records", "architecture_key", "architectures.key", null=True),
        *_refers("records", "origin_key", "origins.key", null=True), _text("identity"), _plain("recipe"),
        _whole("seed"), _plain("constraints"), _text("checkpoint", null=True), _text("lineage", null=True),
        _plain("seconds"), _moment("started", null=True), _moment("finished", null=True), _moment("stored"),
        sa.CheckConstraint("(study_id IS NULL) <> (trained_id IS NULL)", name="ck_yolofront_records_one_owner"),
        unique=("study_id,number", "study_id,name", "trained_id"),
    )  # fmt: skip
    _index("records", "study_id", "identity")
    _index("records", "architecture_key")
    _table("measurements", *_of_record("measurements"), *_measurement())
    _index("measurements", "name")
    _table("evaluations", *_of_record("evaluations"), _text("split"), _whole("images"), *_accuracy(),
           _plain("ap_per_class"), unique=("record_id,split",))  # fmt: skip
    _table("curves", *_refers("curves", "record_id", "records.id", key=True),
           _text("split", key=True),
           sa.Column("packed", sa.LargeBinary, nullable=False))  # fmt: skip
    _table("rungs", *_of_record("rungs"), _whole("epoch"), *_learning_curve())


def _of_record(table: str) -> list[sa.schema.SchemaItem]:
    return [*_refers(table, "record_id", "records.id", key=True), _whole("position", key=True)]


def _measurement() -> list[sa.schema.SchemaItem]:
    return [
        _text("name"), _figure("value"), _text("unit"), _figure("low", null=True), _figure("high", null=True),
        _whole("runs"), _figure("ratio", null=True), _text("target", null=True),
        sa.Column("contended", sa.Boolean, nullable=True),
    ]  # fmt: skip


def _accuracy() -> list[sa.Column[float]]:
    names = (
        "map50_95", "map50", "precision", "recall", "f1", "confidence", "iou", "best_f1", "best_f1_confidence",
        "precision_at_best_f1", "recall_at_best_f1",
    )  # fmt: skip
    return [_figure(name) for name in names]


def _fronts() -> None:
    _table(
        "fronts", _id(), *_refers("fronts", "study_id", "studies.id"), _whole("sequence"), _whole("after"),
        _figure("hypervolume"), _plain("reference_point"), _moment("at"), unique=("study_id,sequence",),
    )  # fmt: skip
    _table(
        "front_members", *_refers("front_members", "front_id", "fronts.id", key=True), _whole("position", key=True),
        *_refers("front_members", "record_id", "records.id"), _plain("objective_values"),
    )  # fmt: skip


def _latencies() -> None:
    _table("targets", _text("key", key=True), _plain("description"), _figure("reference_ms"),
           _moment("created"))  # fmt: skip
    _table("latencies", _id(), _text("shape_key"), _text("target_key"), *_measurement(), _plain("samples_ms"),
           _moment("at"))  # fmt: skip
    _index("latencies", "shape_key", "target_key")
