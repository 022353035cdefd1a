"""The lease: one driver per study; a dead one is replaced at once, a silent one in time."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from store_examples import begin, create_study, result

from aster_dse.errors import InputError, NotFoundError
from aster_dse.store import LeaseHeldError, LeaseHolder, LeaseLostError, StudyReader, StudyRow, StudyStore
from aster_dse.store.machine import Process
from aster_dse.store.tables import leases

CONTENDER = """
import sys, time
from pathlib import Path
from aster_dse.store import LeaseHeldError, StudyStore

with StudyStore(sys.argv[1]) as store:
    study = store.study("digits")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with store.lease(study.id, holder="a contender"):
            print("held", flush=True)
            sys.stdin.readline()
    except LeaseHeldError as error:
        print(error, flush=True)
"""


@contextmanager
def contender(url: str) -> Iterator[subprocess.Popen[str]]:
    """Another driver in its own process: it waits for a line, asks for the lease, waits for another line."""
    process = subprocess.Popen(
        [sys.executable, "-c", CONTENDER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert answer(process) == "ready"
        yield process
    finally:
        process.kill()
        process.communicate()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def alter(store: StudyStore, **values: Any) -> None:
    """Rewrite the lease's row, as another host or another time would have left it."""
    with store._database.writing() as connection:
        connection.execute(update(leases).values(values))


def row(store: StudyStore) -> Any:
    with store._database.reading() as connection:
        return connection.execute(select(leases)).one_or_none()


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def test_the_second_driver_is_told_who_is_the_first(store: StudyStore, study: StudyRow) -> None:
    other = create_study(store, "other")
    with store.lease(study.id, holder="aster-dse search") as lease:
        assert not lease.lost
        with pytest.raises(LeaseHeldError) as caught, store.lease(study.id):
            pytest.fail("two drivers")
        said = str(caught.value)
        for part in ("'digits'", "aster-dse search", socket.gethostname(), str(os.getpid()), "UTC"):
            assert part in said
        assert "\n" not in said
        assert caught.value.exit_code == 3
        with store.lease(other.id):
            pass
        with StudyReader(store._database._url.render_as_string(hide_password=False)) as reader:
            holder = reader.lease_holder(study.id)
        assert holder is not None
        assert (holder.label, holder.pid) == ("aster-dse search", os.getpid())
    assert store.lease_holder(study.id) is None
    with store.lease(study.id):
        pass


def test_a_refusal_survives_the_way_between_processes() -> None:
    now = datetime.now(UTC)
    error = LeaseHeldError("digits", LeaseHolder("a search", "host", 7, now, now))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_lease_is_given_back_when_the_driver_fails(store: StudyStore, study: StudyRow) -> None:
    with pytest.raises(ZeroDivisionError), store.lease(study.id):
        raise ZeroDivisionError
    assert row(store) is None


def test_only_a_study_that_exists_and_a_positive_time_make_a_lease(
    store: StudyStore, study: StudyRow
) -> None:
    with pytest.raises(NotFoundError), store.lease(99):
        pass
    with pytest.raises(InputError), store.lease(study.id, ttl_s=0):
        pass


def test_of_many_that_ask_at_once_one_gets_it(store: StudyStore, study: StudyRow) -> None:
    asking, answered = threading.Barrier(6), threading.Barrier(6)
    outcomes: list[str] = []

    def drive() -> None:
        asking.wait()
        try:
            with store.lease(study.id):
                outcomes.append("held")
                answered.wait()
        except LeaseHeldError:
            outcomes.append("refused")
            answered.wait()

    drivers = [threading.Thread(target=drive) for _ in range(6)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert sorted(outcomes) == ["held"] + ["refused"] * 5


def test_two_processes_race_and_the_winner_is_killed(database_url: str, study: StudyRow) -> None:
    with contender(database_url) as one, contender(database_url) as other:
        tell(one)
        tell(other)
        answers = {process: answer(process) for process in (one, other)}
        [winner] = [process for process, said in answers.items() if said == "held"]
        [refusal] = [said for said in answers.values() if said != "held"]
        assert f"process {winner.pid}" in refusal
        with StudyStore(database_url) as store:
            with pytest.raises(LeaseHeldError), store.lease(study.id):
                pass
            winner.send_signal(signal.SIGKILL)
            winner.wait()
            with store.lease(study.id) as lease:
                assert not lease.lost


def test_a_pid_that_was_given_to_another_process_is_no_driver(store: StudyStore, study: StudyRow) -> None:
    with store.lease(study.id), store.lease(create_study(store, "other").id):
        if not Process.current().machine:
            pytest.skip("a process's start time is only known where there is /proc")
        alter(store, process_start="1")
        with store.lease(study.id) as lease:
            assert not lease.lost


@pytest.mark.parametrize("elsewhere", [{"host": "node-7"}, {"machine": "another boot or container"}])
def test_a_driver_elsewhere_keeps_the_lease_until_its_time_is_over(
    store: StudyStore, study: StudyRow, elsewhere: dict[str, str]
) -> None:
    with store.lease(study.id, ttl_s=3600) as first:
        alter(store, **elsewhere, pid=2**22 + 1, process_start="1")
        with pytest.raises(LeaseHeldError), store.lease(study.id):
            pass
        alter(store, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        with store.lease(study.id) as second:
            assert not first.renew()
            assert first.lost
            assert not second.lost
            assert second.renew()


def test_a_driver_that_lost_its_lease_writes_nothing_more(database_url: str, study: StudyRow) -> None:
    with StudyStore(database_url) as old, StudyStore(database_url) as new:
        with old.lease(study.id, ttl_s=3600) as lost:
            begin(old, study, 0)
            alter(old, expires_at=datetime.now(UTC) - timedelta(seconds=1))
            with new.lease(study.id, ttl_s=3600):
                new.requeue(study.id, 0)
                for write in (
                    lambda: begin(old, study, 1),
                    lambda: old.finish_trial(study.id, result(0), []),
                    lambda: old.requeue(study.id, 0),
                    lambda: old.set_reference_point(study.id, {"accuracy": 0, "energy_uj": 1}),
                ):
                    with pytest.raises(LeaseLostError):
                        write()
                assert new.finish_trial(study.id, result(0), [])
            assert not lost.renew()
        with new.lease(study.id):
            begin(new, study, 1)
        assert [trial.number for trial in new.trials(study.id)] == [0, 1]


def test_the_loser_does_not_give_back_what_the_winner_holds(store: StudyStore, study: StudyRow) -> None:
    with store.lease(study.id, ttl_s=3600):
        alter(store, token="another driver's")
    assert row(store).token == "another driver's"


def test_the_lease_is_renewed_in_the_background(store: StudyStore, study: StudyRow) -> None:
    with store.lease(study.id, ttl_s=6) as lease:
        first = row(store).expires_at
        assert eventually(lambda: row(store).expires_at > first)
        assert not lease.lost


def test_a_taken_lease_is_noticed_in_the_background(store: StudyStore, study: StudyRow) -> None:
    with store.lease(study.id, ttl_s=6) as lease:
        alter(store, token="another driver's")
        assert eventually(lambda: lease.lost)
