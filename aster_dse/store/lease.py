"""The lease: at most one driver works on a study, and one that lost its right can write no more."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select, update

from aster_dse.errors import InputError, NotFoundError, UnreachableError
from aster_dse.store.database import Database
from aster_dse.store.errors import LeaseHeldError, LeaseLostError
from aster_dse.store.machine import Process
from aster_dse.store.rows import LeaseHolder
from aster_dse.store.tables import leases, studies

__all__ = ["Lease", "check_lease", "hold", "live_holder"]


class Lease:
    """The right to drive one study, renewed in the background from :func:`hold` until its block ends."""

    def __init__(self, database: Database, study_id: int, token: str, ttl_s: float, taken_at: float) -> None:
        self.study_id = study_id
        self.token = token
        self._database = database
        self._ttl_s = ttl_s
        self._good_until = taken_at + ttl_s
        self._taken_over = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{study_id}", daemon=True)

    @property
    def lost(self) -> bool:
        """True once another driver has it, or may have it because it could not be renewed in time."""
        return self._taken_over or time.monotonic() >= self._good_until

    def renew(self) -> bool:
        """Extend the lease now. False where it was taken over."""
        if self._taken_over:
            return False
        # Counted from before the statement, so that this side never believes in it longer than the database.
        asked_at = time.monotonic()
        with self._database.writing() as connection:
            expires_at = self._database.now(connection) + timedelta(seconds=self._ttl_s)
            renewed = connection.execute(
                update(leases)
                .where(leases.c.study_id == self.study_id, leases.c.token == self.token)
                .values(expires_at=expires_at)
            )
        if renewed.rowcount == 1:
            self._good_until = asked_at + self._ttl_s
        else:
            self._taken_over = True
        return not self._taken_over

    def _keep(self) -> None:
        while not self._stop.wait(self._ttl_s / 3):
            # An unreachable database is tried again next time; `lost` turns true by itself when it lasts.
            with suppress(UnreachableError):
                if not self.renew():
                    return

    def _start(self) -> None:
        self._thread.start()

    def _release(self) -> None:
        self._stop.set()
        self._thread.join()
        # Where this fails the lease ends by itself: its process is gone soon, or its time runs out.
        with suppress(UnreachableError), self._database.writing() as connection:
            connection.execute(
                delete(leases).where(leases.c.study_id == self.study_id, leases.c.token == self.token)
            )


@contextmanager
def hold(database: Database, study_id: int, label: str, ttl_s: float) -> Iterator[Lease]:
    """Take the lease of a study, keep it while the block runs, give it back.

    Raises:
        LeaseHeldError: a live driver has it.
    """
    if ttl_s <= 0:
        raise InputError("lease", f"a lease of {ttl_s} s", "a positive time")
    me = Process.current()
    token = uuid.uuid4().hex
    taken_at = time.monotonic()
    with database.writing() as connection:
        # The study's row serialises those who ask at the same time for a lease that has no row yet.
        name = connection.execute(
            select(studies.c.name).where(studies.c.id == study_id).with_for_update()
        ).scalar_one_or_none()
        if name is None:
            raise NotFoundError(f"{database.shown}: there is no study with id {study_id}")
        holder = live_holder(database, connection, study_id)
        if holder is not None:
            raise LeaseHeldError(name, holder)
        now = database.now(connection)
        connection.execute(delete(leases).where(leases.c.study_id == study_id))
        connection.execute(
            insert(leases).values(
                study_id=study_id,
                token=token,
                label=label,
                host=me.host,
                machine=me.machine,
                pid=me.pid,
                process_start=me.start,
                acquired_at=now,
                expires_at=now + timedelta(seconds=ttl_s),
            )
        )
    lease = Lease(database, study_id, token, ttl_s, taken_at)
    lease._start()
    try:
        yield lease
    finally:
        lease._release()


def live_holder(database: Database, connection: Connection, study_id: int) -> LeaseHolder | None:
    """Whoever drives a study now: not one whose time ran out, nor a dead process of this machine."""
    row = connection.execute(select(leases).where(leases.c.study_id == study_id)).one_or_none()
    if row is None or row.expires_at <= database.now(connection):
        return None
    if Process(row.host, row.machine, row.pid, row.process_start).surely_dead():
        return None
    return LeaseHolder(row.label, row.host, row.pid, row.acquired_at, row.expires_at)


def check_lease(connection: Connection, study_id: int, token: str) -> None:
    """Refuse to write for a driver that lost its lease; locks the lease until the transaction ends.

    Raises:
        LeaseLostError: another driver has it.
    """
    held = connection.execute(
        select(leases.c.token).where(leases.c.study_id == study_id).with_for_update(read=True)
    ).scalar_one_or_none()
    if held != token:
        raise LeaseLostError(
            f"study {study_id} was taken over by another driver; nothing more is written here"
        )
