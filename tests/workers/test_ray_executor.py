"""What only an executor with processes of its own can do: survive them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import worker_jobs as jobs

from aster_dse.search.protocol import EpochReport, NetworkFailure, NetworkResult

pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray"), pytest.mark.usefixtures("ray_cluster")]


def make_executor(run: Any, **options: Any) -> Any:
    from aster_dse.workers.executor import RayExecutor

    return RayExecutor(run=run, load=jobs.make_workload, **options)


def running_process(path: Path) -> int:
    jobs.wait_until(path.exists, f"{path.name} to appear")
    return int(path.read_text().split()[0])


def test_a_slot_per_worker_up_to_the_limit() -> None:
    assert make_executor(jobs.measure).slots == 2
    assert make_executor(jobs.measure, limit=1).slots == 1


def test_workers_compute_on_one_thread_and_are_used_again(tmp_path: Path) -> None:
    executor = make_executor(jobs.measure)
    processes = set()
    for trial in range(6):
        executor.submit(jobs.make_job(trial, tmp_path))
        training = executor.wait().training
        assert (training["threads"], training["waiting"]) == ("1", "PASSIVE")
        processes.add(training["pid"])
    assert len(processes) <= 2
    assert os.getpid() not in processes


def test_workers_do_not_import_from_the_driver_s_working_directory(tmp_path: Path, hostile: Path) -> None:
    executor = make_executor(jobs.measure)
    executor.submit(jobs.make_job(0, tmp_path))
    training = executor.wait().training
    assert training["folder"] == str(hostile)
    assert {"", ".", str(hostile)}.isdisjoint(training["path"])


def test_outcomes_come_in_order_of_completion(tmp_path: Path) -> None:
    slow, quick = tmp_path / "slow", tmp_path / "quick"
    slow.mkdir()
    quick.mkdir()
    (quick / "stop").touch()
    executor = make_executor(jobs.tick)
    executor.submit(jobs.make_job(0, slow))
    executor.submit(jobs.make_job(1, quick))
    assert executor.wait().trial == 1
    (slow / "stop").touch()
    assert executor.wait().trial == 0


def test_a_killed_worker_is_replaced_and_the_training_goes_on_from_its_last_epoch(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    executor = make_executor(jobs.train_three_epochs)
    for trial in (0, 1):
        executor.submit(jobs.make_job(trial, tmp_path))
    reports: list[EpochReport] = []
    outcomes = {
        outcome.trial: outcome for outcome in (executor.wait(reports.append), executor.wait(reports.append))
    }
    assert isinstance(outcomes[0], NetworkResult)
    assert (outcomes[0].attempt, outcomes[0].training["resumed_from_epoch"]) == (2, 2)
    assert (outcomes[1].attempt, outcomes[1].training["resumed_from_epoch"]) == (1, 0)
    assert [report.epoch for report in reports if report.trial == 1] == [1, 2, 3]
    assert [report.epoch for report in reports if report.trial == 0][-1] == 3
    with pytest.raises(RuntimeError, match="no job"):
        executor.wait()
    assert capfd.readouterr().out == ""  # stdout is for results


def test_a_job_that_kills_every_worker_fails_after_three_attempts(tmp_path: Path) -> None:
    executor = make_executor(jobs.always_killed)
    executor.submit(jobs.make_job(5, tmp_path))
    outcome = executor.wait()
    assert isinstance(outcome, NetworkFailure)
    assert (outcome.trial, outcome.kind, outcome.attempt) == (5, "worker", 3)
    assert "killed" in outcome.reason
    assert "\n" not in outcome.reason
    assert len((tmp_path / "lives").read_text()) == 3


def test_a_job_that_exits_its_process_is_an_error_not_a_hang(tmp_path: Path) -> None:
    executor = make_executor(jobs.leave)
    executor.submit(jobs.make_job(0, tmp_path))
    outcome = executor.wait()
    assert (outcome.kind, outcome.reason) == ("error", "SystemExit: 3")


def test_a_job_that_the_workers_cannot_import_is_an_error(tmp_path: Path) -> None:
    import sys
    import types

    module = types.ModuleType("only_here")
    sys.modules["only_here"] = module
    exec("def run(job, *, workload, on_report): return None", module.__dict__)
    try:
        executor = make_executor(module.run)
        executor.submit(jobs.make_job(0, tmp_path))
        outcome = executor.wait()
    finally:
        del sys.modules["only_here"]
    assert outcome.kind == "error"
    assert "only_here" in outcome.reason


def test_cancel_stops_what_runs_and_frees_its_slots(tmp_path: Path) -> None:
    executor = make_executor(jobs.tick)
    for trial in range(3):
        executor.submit(jobs.make_job(trial, tmp_path))
    processes = [running_process(tmp_path / f"{trial}.alive") for trial in (0, 1)]
    executor.cancel()
    for process in processes:
        jobs.wait_until(lambda process=process: not jobs.alive(process), f"worker {process} to end")
    assert not (tmp_path / "2.alive").exists()
    (tmp_path / "stop").touch()
    executor.submit(jobs.make_job(3, tmp_path))
    assert executor.wait().trial == 3


def test_an_interrupted_wait_can_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    import ray

    executor = make_executor(jobs.tick)
    executor.submit(jobs.make_job(0, tmp_path))
    running_process(tmp_path / "0.alive")
    waiting, wait = threading.Event(), ray.wait

    def noticed(*arguments: Any, **options: Any) -> Any:
        waiting.set()
        return wait(*arguments, **options)

    def interrupt() -> None:
        waiting.wait()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ray, "wait", noticed)
    # Ignored where a shell started the tests in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        executor.wait()
    thread.join()
    signal.signal(signal.SIGINT, before)
    (tmp_path / "stop").touch()
    assert executor.wait().trial == 0
