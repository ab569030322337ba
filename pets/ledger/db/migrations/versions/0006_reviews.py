"""A second person's approval: which answers and jobs wait for it, and what each reviewer decided."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """What was answered before needed nobody's approval."""
    op.add_column("pets_requests", sa.Column("review", sa.Text(), nullable=True))
    op.add_column("pets_jobs", sa.Column("review", sa.Text(), nullable=True))
    held = sa.text("state = 'held'")
    op.create_index("pets_jobs_held", "pets_jobs", ["dataset", "at"], sqlite_where=held, postgresql_where=held)
    op.create_table(
        "pets_reviews",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("stage IN ('before', 'after')", name="pets_known_stage"),
        sa.CheckConstraint("decision IN ('approve', 'refuse')", name="pets_known_decision"),
        sa.ForeignKeyConstraint(["job"], ["pets_jobs.id"]),
        sa.PrimaryKeyConstraint("job", "reviewer", "stage"),
    )
