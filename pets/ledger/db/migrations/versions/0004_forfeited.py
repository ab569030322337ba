"""An index of requests that were charged and never answered: certificates tell how many there are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Only few ever are."""
    forfeited = sa.text("state = 'forfeited'")
    op.create_index(
        "pets_requests_forfeited",
        "pets_requests",
        ["dataset"],
        sqlite_where=forfeited,
        postgresql_where=forfeited,
    )
