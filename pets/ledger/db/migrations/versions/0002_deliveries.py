"""Idempotency keys of each analyst's own; deliveries of an answer to others; indexes for pages of requests."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OLD, _NEW = 'UNIQUE (dataset, "key")', 'UNIQUE (dataset, project, analyst, "key")'


def upgrade() -> None:
    """Every request stays as it is."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        op.drop_constraint("pets_key_once", "pets_requests", type_="unique")
        op.create_unique_constraint("pets_key_once", "pets_requests", ["dataset", "project", "analyst", "key"])
    op.create_index("pets_requests_of_analyst", "pets_requests", ["dataset", "project", "analyst", "seq"], unique=False)
    op.create_index(
        "pets_requests_denied",
        "pets_requests",
        ["dataset", "project", "analyst", "at"],
        unique=False,
        sqlite_where=sa.text("state = 'denied'"),
        postgresql_where=sa.text("state = 'denied'"),
    )
    op.create_table(
        "pets_deliveries",
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("analyst", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("release", sa.LargeBinary(), nullable=True),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("(release IS NULL) = (certificate IS NULL)", name="pets_delivery_is_whole"),
        sa.ForeignKeyConstraint(["request"], ["pets_requests.id"]),
        sa.PrimaryKeyConstraint("request", "project", "analyst"),
    )


def _rebuild() -> None:
    """SQLite cannot alter a constraint: the table as it was written, but for that one, and its rows."""
    bind = op.get_bind()
    listed = sa.text("SELECT type, sql FROM sqlite_master WHERE tbl_name = 'pets_requests' AND sql IS NOT NULL")
    found = [(row.type, row.sql) for row in bind.execute(listed)]
    (table,) = [sql for kind, sql in found if kind == "table"]
    if _OLD not in table:
        raise RuntimeError("the table of requests is not as pets made it")
    bind.exec_driver_sql(table.replace(_OLD, _NEW).replace("pets_requests", "pets_requests_new", 1))
    bind.exec_driver_sql("INSERT INTO pets_requests_new SELECT * FROM pets_requests")
    bind.exec_driver_sql("DROP TABLE pets_requests")
    bind.exec_driver_sql("ALTER TABLE pets_requests_new RENAME TO pets_requests")
    for kind, sql in found:
        if kind == "index":
            bind.exec_driver_sql(sql)
