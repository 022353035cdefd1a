"""The driver killed at any moment: what had ended stays, and the search goes on as if undisturbed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from analytic_jobs import content, search, space

from aster_dse.store import StudyReader, StudyStore, TrialState

TRIALS = 24
ROOT = Path(__file__).parents[2]


def drive_and_kill(url: str, log: Path, seconds: float, trainings: int) -> None:
    """Start a driver and kill it a while after it ended so many trainings."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("driver_to_kill.py")), url, str(TRIALS), str(log)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    for line in process.stdout:
        trainings -= line.startswith("trained")
        if trainings <= 0:
            break
    time.sleep(seconds)
    process.kill()
    process.communicate()


def test_kill_9_at_any_moment_changes_nothing(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "trained.txt"
    log.touch()
    complete: set[int] = set()
    for _ in range(4):
        drive_and_kill(database_url, log, random.uniform(0.0, 0.04), random.randint(1, 4))
        with StudyReader(database_url) as reader:
            study = reader.study("s")
            trials = reader.trials(study.id)
        assert {trial.state for trial in trials} <= {TrialState.RUNNING, TrialState.COMPLETE}
        now = {trial.number for trial in trials if trial.state is TrialState.COMPLETE}
        assert complete <= now
        complete = now
    trained_before = Counter(log.read_text().split())
    summary = search(database_url, space(), TRIALS)
    assert (summary.complete, summary.failed, summary.running) == (TRIALS, 0, 0)

    # A training is repeated only where its result had not been stored when the driver died.
    with StudyStore(database_url) as store:
        attempts = {n: len(store.attempts(store.study("s").id, n)) for n in range(TRIALS)}
    for number, times in trained_before.items():
        assert times <= attempts[int(number)]
    assert sum(attempts.values()) <= TRIALS + 4

    search(database_url, space(), TRIALS, study="undisturbed")
    assert content(database_url) == content(database_url, "undisturbed")


@pytest.mark.parametrize("extra", [0, 2])
def test_trials_left_running_are_run_first(sqlite_url: str, extra: int) -> None:
    """Also where the study has all the trials it shall have."""
    with StudyStore(sqlite_url) as store:
        search(sqlite_url, space(), 3)
        study = store.study("s")
        for number in (3, 4):
            candidate = space().candidate(store.trial(study.id, 0).assignment)
            assignment = {**store.trial(study.id, 0).assignment, "training.learning_rate": 0.01 * number}
            candidate = space().candidate(assignment)
            store.begin_trial(
                study.id,
                number,
                assignment=assignment,
                candidate=candidate.model_dump(mode="json"),
                training_key=candidate.training_key(),
            )
        summary = search(sqlite_url, space(), 5 + extra)
        assert (summary.complete, summary.running) == (5 + extra, 0)
        assert [trial.attempts for trial in store.trials(study.id)] == [1, 1, 1, 2, 2] + [1] * extra
