"""What every executor does, wherever it runs its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import worker_jobs as jobs

from aster_dse.search.protocol import (
    EpochReport,
    Executor,
    NetworkFailure,
    NetworkResult,
    PassReport,
    Report,
)
from aster_dse.search.serial import LoadWorkload, RunJob, SerialExecutor


@pytest.fixture(
    params=[
        "serial",
        pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.xdist_group("ray")]),
    ]
)
def make_executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    made: list[Executor] = []

    def make(run: RunJob, load: LoadWorkload = jobs.make_workload) -> Executor:
        if request.param == "serial":
            executor: Executor = SerialExecutor(run=run, load=load)
        else:
            request.getfixturevalue("ray_cluster")
            from aster_dse.workers.executor import RayExecutor

            executor = RayExecutor(run=run, load=load)
        made.append(executor)
        return executor

    yield make
    for executor in made:
        executor.close()


def test_every_job_comes_back_once(make_executor: Any, tmp_path: Path) -> None:
    executor = make_executor(jobs.measure)
    for trial in range(5):
        executor.submit(jobs.make_job(trial, tmp_path))
    outcomes = [executor.wait() for _ in range(5)]
    assert sorted(outcome.trial for outcome in outcomes) == list(range(5))
    assert all(isinstance(outcome, NetworkResult) for outcome in outcomes)
    with pytest.raises(RuntimeError, match="no job"):
        executor.wait()


def test_a_result_answers_its_job_and_says_where_it_ran(make_executor: Any, tmp_path: Path) -> None:
    executor = make_executor(jobs.measure)
    job = jobs.make_job(7, tmp_path)
    executor.submit(job)
    outcome = executor.wait()
    assert [evaluation.assignment for evaluation in outcome.evaluations] == list(job.inner)
    assert outcome.training_key == job.candidate.training_key()
    assert outcome.attempt == 1
    assert outcome.node
    assert 10 < outcome.peak_memory_mib < 1500


def test_each_job_gets_the_data_of_its_own_workload(make_executor: Any, tmp_path: Path) -> None:
    executor = make_executor(jobs.measure)
    for trial, seed in enumerate((0, 1)):
        executor.submit(jobs.make_job(trial, tmp_path, seed=seed))
    events = {outcome.trial: outcome.training["events"] for outcome in (executor.wait(), executor.wait())}
    assert events[1] == 2 * events[0] > 0


def test_data_is_loaded_once_for_all_jobs(make_executor: Any, tmp_path: Path) -> None:
    loads = []

    def load(config: Any, /) -> Any:
        loads.append(config)
        return jobs.make_workload(config)

    executor = make_executor(jobs.measure, load)
    for trial in range(3):
        executor.submit(jobs.make_job(trial, tmp_path))
    for _ in range(3):
        executor.wait()
    assert len(loads) == 1


def test_epochs_and_passes_are_reported_in_order_before_the_outcome(
    make_executor: Any, tmp_path: Path
) -> None:
    executor = make_executor(jobs.measure)
    executor.submit(jobs.make_job(3, tmp_path))
    reports: list[Report] = []
    executor.wait(reports.append)
    assert reports == [
        EpochReport(trial=3, epoch=1, epochs=2, accuracy=0.1, loss=1.0),
        EpochReport(trial=3, epoch=2, epochs=2, accuracy=0.2, loss=1.0),
        PassReport(trial=3, number=1, at_most=12),
    ]


def test_an_exception_is_a_failure_with_one_line_and_its_trace(make_executor: Any, tmp_path: Path) -> None:
    executor = make_executor(jobs.even_only)
    executor.submit(jobs.make_job(1, tmp_path))
    outcome = executor.wait()
    assert isinstance(outcome, NetworkFailure)
    assert (outcome.trial, outcome.kind, outcome.attempt) == (1, "error", 1)
    assert outcome.reason == "ValueError: trial 1 is odd"
    assert "even_only" in outcome.trace
    assert outcome.training_key == jobs.make_job(1, tmp_path).candidate.training_key()
    assert outcome.node


def test_a_failure_that_the_job_returns_is_passed_on(make_executor: Any, tmp_path: Path) -> None:
    executor = make_executor(jobs.even_only)
    executor.submit(jobs.make_job(4, tmp_path))
    outcome = executor.wait()
    assert (outcome.kind, outcome.reason) == ("diverged", "the loss is NaN")


def test_one_failure_does_not_touch_the_others(make_executor: Any, tmp_path: Path) -> None:
    executor = make_executor(jobs.even_only)
    for trial in (1, 2, 3, 6):
        executor.submit(jobs.make_job(trial, tmp_path))
    outcomes = [executor.wait() for _ in range(4)]
    good = {outcome.trial for outcome in outcomes if isinstance(outcome, NetworkResult)}
    assert good == {2, 6}


@pytest.mark.parametrize(
    ("run", "kind", "reason"),
    [
        (jobs.refuse, "input", "network.width: 30 is not a multiple of 8 (32)"),
        (jobs.exhaust, "memory", "MemoryError: cannot allocate 1 TiB"),
        (jobs.answer_nothing, "error", "TypeError: the job returned NoneType, not a result or a failure"),
    ],
)
def test_failures_are_typed(make_executor: Any, tmp_path: Path, run: RunJob, kind: str, reason: str) -> None:
    executor = make_executor(run)
    executor.submit(jobs.make_job(0, tmp_path))
    outcome = executor.wait()
    assert (outcome.kind, outcome.reason) == (kind, reason)


def test_data_that_cannot_be_loaded_fails_its_trial_only(make_executor: Any, tmp_path: Path) -> None:
    executor = make_executor(jobs.measure)
    executor.submit(jobs.make_job(0, tmp_path, workload="missing"))
    executor.submit(jobs.make_job(1, tmp_path))
    outcomes = {outcome.trial: outcome for outcome in (executor.wait(), executor.wait())}
    assert outcomes[0].kind == "input"
    assert "'missing' is not a workload" in outcomes[0].reason
    assert isinstance(outcomes[1], NetworkResult)


def test_after_cancel_nothing_is_left_and_jobs_can_be_submitted_again(
    make_executor: Any, tmp_path: Path
) -> None:
    executor = make_executor(jobs.measure)
    for trial in range(3):
        executor.submit(jobs.make_job(trial, tmp_path))
    executor.cancel()
    with pytest.raises(RuntimeError, match="no job"):
        executor.wait()
    executor.submit(jobs.make_job(9, tmp_path))
    assert executor.wait().trial == 9


def test_there_is_at_least_one_slot(make_executor: Any) -> None:
    assert make_executor(jobs.measure).slots >= 1
