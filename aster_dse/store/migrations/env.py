"""What Alembic runs: always on a connection of the store, inside the transaction that the caller holds."""

from alembic import context
from sqlalchemy import Connection

from aster_dse.store.tables import VERSION_TABLE, metadata

connection = context.config.attributes["connection"]
if not isinstance(connection, Connection):
    raise TypeError("migrations run through aster_dse.store.upgrade, which gives the connection")


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Another program's tables in the same database are none of our business."""
    return kind != "table" or (name is not None and name.startswith("aster_"))


context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=ours,
    # SQLite can, once the driver leaves transactions alone, which the store sees to.
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
