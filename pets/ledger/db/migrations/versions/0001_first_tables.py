"""The first tables of the ledger."""

import sqlalchemy as sa
from alembic import op

from pets.ledger.db.tables import APPEND_ONLY

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them; the log's triggers come last."""
    op.create_table(
        "pets_datasets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("units", sa.Text(), nullable=False),
        sa.Column("approvers", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("snapshots", sa.Text(), nullable=False),
        sa.Column("releases", sa.BigInteger(), nullable=False),
        sa.Column("lifetime_loss", sa.BigInteger(), nullable=False),
        sa.Column("lifetime_delta", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("lifetime_loss >= 0 AND lifetime_delta >= 0", name="pets_lifetime_counts_up"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "pets_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pets_changes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["pets_datasets.name"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pets_lost",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("loss", sa.BigInteger(), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pets_log",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "pets_requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("analyst", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("tbl", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("protection", sa.Text(), nullable=False),
        sa.Column("loss", sa.BigInteger(), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.Column("unbounded", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("lease", sa.Float(), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
        sa.Column("release", sa.LargeBinary(), nullable=True),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "(state = 'committed') = (release IS NOT NULL AND certificate IS NOT NULL)", name="pets_committed_has_bytes"
        ),
        sa.CheckConstraint(
            "state IN ('reserved', 'started', 'committed', 'forfeited', 'voided', 'denied')", name="pets_known_state"
        ),
        sa.CheckConstraint("loss >= 0 AND delta >= 0", name="pets_costs_are_costs"),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["pets_datasets.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset", "key", name="pets_key_once"),
    )
    op.create_index("pets_requests_asked", "pets_requests", ["asked"], unique=False)
    op.create_index(
        "pets_requests_open",
        "pets_requests",
        ["lease"],
        unique=False,
        sqlite_where=sa.text("state IN ('reserved', 'started')"),
        postgresql_where=sa.text("state IN ('reserved', 'started')"),
    )
    op.create_index("pets_requests_snapshot", "pets_requests", ["dataset", "snapshot"], unique=False)
    op.create_index(
        "pets_requests_unbounded",
        "pets_requests",
        ["dataset", "seq"],
        unique=False,
        sqlite_where=sa.text("unbounded"),
        postgresql_where=sa.text("unbounded"),
    )
    op.create_table(
        "pets_scopes",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("analyst", sa.Text(), nullable=False),
        sa.Column("cap_loss", sa.BigInteger(), nullable=True),
        sa.Column("cap_delta", sa.BigInteger(), nullable=True),
        sa.Column("reserved_loss", sa.BigInteger(), nullable=False),
        sa.Column("reserved_delta", sa.BigInteger(), nullable=False),
        sa.Column("spent_loss", sa.BigInteger(), nullable=False),
        sa.Column("spent_delta", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "project <> '' OR (analyst = '' AND cap_loss IS NOT NULL AND cap_delta IS NOT NULL)",
            name="pets_root_has_cap",
        ),
        sa.CheckConstraint(
            "reserved_delta >= 0 AND spent_delta >= 0 AND "
            "(cap_delta IS NULL OR reserved_delta + spent_delta <= cap_delta)",
            name="pets_within_cap_delta",
        ),
        sa.CheckConstraint(
            "reserved_loss >= 0 AND spent_loss >= 0 AND (cap_loss IS NULL OR reserved_loss + spent_loss <= cap_loss)",
            name="pets_within_cap_loss",
        ),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["pets_datasets.name"],
        ),
        sa.PrimaryKeyConstraint("dataset", "project", "analyst"),
    )
    op.create_table(
        "pets_sources",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("tbl", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["pets_datasets.name"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
