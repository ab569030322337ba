"""The airlock: what analysts want to take out, what each reviewer voted, and what people wrote about it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing that was there is touched."""
    op.create_table(
        "pets_outputs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("analyst", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('submitted', 'partially-reviewed', 'reviewed', 'approved', 'returned', 'rejected', 'withdrawn', "
            "'released')",
            name="pets_known_output_state",
        ),
        sa.CheckConstraint("turn > 0", name="pets_output_turns_count_up"),
        sa.ForeignKeyConstraint(["dataset"], ["pets_datasets.name"]),
        sa.PrimaryKeyConstraint("id"),
    )
    waits = sa.text("state IN ('submitted', 'partially-reviewed', 'reviewed')")
    op.create_index("pets_outputs_open", "pets_outputs", ["dataset", "due"], sqlite_where=waits, postgresql_where=waits)
    op.create_index("pets_outputs_of_analyst", "pets_outputs", ["dataset", "project", "analyst", "at"])
    op.create_table(
        "pets_output_votes",
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("decision IN ('approve', 'return', 'reject')", name="pets_known_output_decision"),
        sa.ForeignKeyConstraint(["output"], ["pets_outputs.id"]),
        sa.PrimaryKeyConstraint("output", "turn", "reviewer"),
    )
    op.create_table(
        "pets_output_comments",
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["output"], ["pets_outputs.id"]),
        sa.PrimaryKeyConstraint("output", "seq"),
    )
