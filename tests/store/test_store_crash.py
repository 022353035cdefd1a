"""A driver killed in the middle of its writes: what it heard is stored is there, and nothing by halves."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from store_examples import create_study, result

from aster_dse.store import StudyStore, TrialState

DRIVER = """
import sys
sys.path.insert(0, sys.argv[2])
from store_examples import begin, result
from aster_dse.store import StudyStore

with StudyStore(sys.argv[1]) as store:
    study = store.study("digits")
    with store.lease(study.id, holder="a driver"):
        number = len(store.trials(study.id))
        while True:
            begin(store, study, number)
            print("begun", number, flush=True)
            store.finish_trial(study.id, result(number), [1, 0])
            print("finished", number, flush=True)
            number += 1
"""


def kill_after(url: str, lines: int, later_s: float) -> list[list[str]]:
    """Run a driver, kill it a while after some lines of its output, and return all that it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, url, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    time.sleep(later_s)
    process.kill()
    rest, _ = process.communicate()
    return [line.split() for line in "".join([*said, rest]).splitlines(keepends=True) if line.endswith("\n")]


def test_kill_9_loses_no_finished_trial(database_url: str) -> None:
    with StudyStore(database_url) as store:
        study = create_study(store)
    acknowledged: list[int] = []
    for _ in range(4):
        # A round of the driver's loop takes some milliseconds, so the kill falls anywhere in it.
        said = kill_after(database_url, random.randint(3, 30), random.uniform(0.0, 0.01))
        acknowledged += [int(number) for event, number in said if event == "finished"]
        begun = {int(number) for event, number in said if event == "begun"}

        with StudyStore(database_url) as store:
            # The dead driver's lease does not stand in the way.
            with store.lease(study.id):
                trials = store.trials(study.id)
                complete = [trial.number for trial in trials if trial.state is TrialState.COMPLETE]
                assert set(acknowledged) <= set(complete)
                assert begun <= {trial.number for trial in trials}
                assert len(store.orphans(study.id)) <= 1
                for orphan in store.orphans(study.id):
                    assert store.evaluations(study.id, trial=orphan.number).empty
                    assert orphan.training_key not in store.finished_keys()
                    store.requeue(study.id, orphan.number)
                    assert store.finish_trial(study.id, result(orphan.number), [1, 0])
                    acknowledged.append(orphan.number)
            check_whole(store, study.id)
    if database_url.startswith("sqlite"):
        path = make_url(database_url).database
        assert path is not None
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()


def check_whole(store: StudyStore, study_id: int) -> None:
    trials = store.trials(study_id)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE}
    assert [trial.finish_order for trial in trials] == list(range(1, len(trials) + 1))
    frame = store.evaluations(study_id)
    assert frame.groupby("trial").size().tolist() == [4] * len(trials)
    told = store.told_evaluations(study_id)
    assert [(one.trial, one.index) for one in told] == [(n, i) for n in range(len(trials)) for i in (1, 0)]
    assert [one.order for one in told] == list(range(1, len(told) + 1))
    for trial in trials:
        assert len(store.training_history(trial.training_key)) == 2
        for index in range(4):
            assert store.evaluation(study_id, trial.number, index).evaluation.detail["exit_histogram"]


def test_an_interrupt_inside_a_transaction_undoes_it(store: StudyStore) -> None:
    study = create_study(store)

    def interrupted() -> None:
        with store._changing(study.id) as recorder:
            recorder.begin(0, {}, {}, "key0")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.trials(study.id) == []
