"""Votes that a reviewer signed with a key of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Votes of before have no signature."""
    op.add_column("pets_output_votes", sa.Column("signed", sa.Text(), nullable=False, server_default=""))
