"""The store as a dashboard or a report uses it: it cannot write, whatever it is asked."""

from __future__ import annotations

from aster_dse.store.database import Database
from aster_dse.store.reading import StudyQueries
from aster_dse.store.schema import require_schema

__all__ = ["StudyReader"]


class StudyReader(StudyQueries):
    """A read-only view, live while a driver writes.

    SQLite is opened with ``mode=ro``, PostgreSQL with ``default_transaction_read_only``: a role that may only
    SELECT is enough.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER:PASSWORD@HOST/DATABASE``.

    Raises:
        NotFoundError: there is no such file, or it holds no studies.
        UnreachableError: the database cannot be reached or read.
        AsterError: it was made by another version.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url, read_only=True))
        try:
            require_schema(self._database)
        except BaseException:
            self.close()
            raise
