"""The service's tables: jobs that wait for an answering process, tokens of scripts, and who may ask."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nothing that was there is touched."""
    op.create_table(
        "pets_jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("analyst", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("lease", sa.Float(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("shown", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'cancelled', 'held')", name="pets_known_job_state"
        ),
        sa.CheckConstraint("(state = 'failed') = (problem IS NOT NULL)", name="pets_failed_job_says_why"),
        sa.CheckConstraint(
            "state <> 'done' OR request IS NOT NULL OR answer IS NOT NULL", name="pets_done_job_has_answer"
        ),
        sa.ForeignKeyConstraint(["dataset"], ["pets_datasets.name"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset", "project", "analyst", "key", name="pets_job_key_once"),
    )
    for name, columns, condition in (
        ("pets_jobs_waiting", ["at", "id"], "state = 'waiting'"),
        ("pets_jobs_running", ["lease"], "state = 'running'"),
        ("pets_jobs_of_invented", ["at"], "kind = 'dummy'"),
    ):
        where = sa.text(condition)
        op.create_index(name, "pets_jobs", columns, unique=False, sqlite_where=where, postgresql_where=where)
    op.create_index("pets_jobs_of_analyst", "pets_jobs", ["project", "analyst", "at", "id"], unique=False)
    op.create_table(
        "pets_tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("datasets", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=True),
        sa.Column("revoked", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "pets_grants",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("analyst", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["pets_datasets.name"]),
        sa.PrimaryKeyConstraint("dataset", "project", "analyst"),
    )
