"""The digest of the schema that a request was asked of, for its entries in the public log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Requests from before have none: their entries in the log stay as they are, and so do those that close them."""
    op.add_column("pets_requests", sa.Column("schema_digest", sa.Text(), nullable=True))
