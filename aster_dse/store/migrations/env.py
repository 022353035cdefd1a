"""What Alembic runs: always on a connection of the store, inside the transaction that the caller holds."""

from alembic import context
from sqlalchemy import Connection

from aster_dse.store.tables import VERSION_TABLE

connection = context.config.attributes["connection"]
if not isinstance(connection, Connection):
    raise TypeError("migrations run through aster_dse.store.upgrade, which gives the connection")

# Transactional on SQLite too, since the store keeps its driver from ending transactions at each statement.
context.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
