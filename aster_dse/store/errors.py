"""What can go wrong with a store beyond the package's general errors."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.errors import AsterError, UnreachableError
from aster_dse.store.address import sqlite_address

if TYPE_CHECKING:
    from aster_dse.store.rows import LeaseHolder

__all__ = ["DamagedRowError", "DatabaseGoneError", "LeaseHeldError", "LeaseLostError", "NotFiniteError"]


class DatabaseGoneError(UnreachableError):
    """The file of the database was deleted, replaced or overwritten while it was in use (exit code 5).

    Args:
        problem: which database, and what happened to it.
        copy: holds what was stored in it until now; None where no copy could be made.
    """

    def __init__(self, problem: str, copy: Path | None = None) -> None:
        self.problem, self.copy = problem, copy
        url = "" if copy is None else shlex.quote(sqlite_address(copy))
        kept = f"; what was stored in it until now is in {copy} (resume with --storage {url})"
        super().__init__(problem if copy is None else problem + kept)

    def __reduce__(self) -> tuple[type[DatabaseGoneError], tuple[str, Path | None]]:
        return type(self), (self.problem, self.copy)


class LeaseHeldError(AsterError):
    """Another driver works on the study (exit code 3)."""

    exit_code = 3

    def __init__(self, study: str, holder: LeaseHolder) -> None:
        self.study = study
        self.holder = holder
        super().__init__(
            f"study {study!r} is driven by {holder.label} on {holder.host}, process {holder.pid}, "
            f"since {holder.since:%Y-%m-%d %H:%M:%S} UTC (stop it there, or wait until it ends)"
        )

    def __reduce__(self) -> tuple[type[LeaseHeldError], tuple[str, LeaseHolder]]:
        return type(self), (self.study, self.holder)


class LeaseLostError(AsterError):
    """This driver's lease went to another one, so nothing it writes is taken any more (exit code 3)."""

    exit_code = 3


class NotFiniteError(AsterError, ValueError):
    """A figure that is NaN or infinite was to be stored; such a trial is a failure, not a result."""


class DamagedRowError(AsterError):
    """What a database holds is not what was written (exit code 5).

    Args:
        what: of what is stored.
    """

    exit_code = 5

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"the database is damaged: {what} is not what was written "
            "(restore a copy of the file, or search anew in another one; the trained networks are reused)"
        )

    def __reduce__(self) -> tuple[type[DamagedRowError], tuple[str]]:
        return type(self), (self.what,)
