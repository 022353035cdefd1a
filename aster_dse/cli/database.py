"""``aster-dse db``: the schema of the database."""

from __future__ import annotations

from aster_dse.cli.options import DEFAULT_STORAGE, Json, Storage
from aster_dse.cli.output import print_json

__all__ = ["upgrade"]


def upgrade(storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """Bring a database that an older version made to the schema of this version."""
    from aster_dse import store

    revision = store.upgrade(storage, create=False)
    if json:
        print_json({"revision": revision})
    else:
        print(f"the database is at revision {revision}")
