"""Alembic's environment: the store passes its own connection, inside its own transaction."""

from alembic import context

from pets.ledger.db.tables import VERSION_TABLE, meta

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=meta,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
