"""One training on several Ray workers, as a search runs it: real Ray Train, gloo on CPUs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import worker_jobs as jobs
from ray.util.placement_group import placement_group
from safetensors.torch import load

from aster_dse.network.kernels.library import available, kernels_for
from aster_dse.search.protocol import EpochReport, NetworkFailure, NetworkJob, NetworkResult
from aster_dse.space import Candidate, NetworkConfig, TrainingConfig, TrainingResources, WorkloadConfig
from aster_dse.workload import Split, Workload

pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray"), pytest.mark.usefixtures("ray_cluster")]
pytest.importorskip("ray.train", reason="Ray Train is not installed: the extra `train`")

TWO = TrainingResources(workers=2)


def bars(config: WorkloadConfig, /) -> Workload:
    """Three kinds of moving bars, which a small network tells apart."""
    random = np.random.default_rng(0)

    def split(samples: int) -> Split:
        labels = np.arange(samples) % 3
        frames = (random.random((samples, 2, 2, 16, 16)) < 0.05).astype(np.uint8)
        for frame, label in zip(frames, labels, strict=True):
            frame[:, 0, 5 * label : 5 * label + 4, :] = 1
        return Split(frames, labels.astype(np.int64))

    return replace(jobs.make_workload(config), train=split(45), validation=split(12), test=split(12))


def make_job(folder: Path, **training: Any) -> NetworkJob:
    recipe = {"epochs": 3, "batch_size": 9, "warmup_epochs": 0, "mixup": 0.2, "seed": 1, **training}
    candidate = Candidate(
        workload=WorkloadConfig(name="digits-dvs", resolution=16, timesteps=2),
        network=NetworkConfig(width=16, depth=1, stem="4-2-1-1", pooling="1001"),
        training=TrainingConfig(**recipe),
    )
    return replace(jobs.make_job(0, folder), candidate=candidate)


def executor_of(resources: TrainingResources) -> Any:
    from aster_dse.workers.executor import RayExecutor

    return RayExecutor(load=bars, resources=resources)


def train_workers() -> list[int]:
    """Processes of Ray Train's workers on the cluster of this process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            title = path.read_bytes()
        except OSError:
            continue
        if b"RayTrainWorker" in title and os.getpid() in ancestors(int(path.parent.name)):
            found.append(int(path.parent.name))
    return found


def ancestors(process: int) -> list[int]:
    found = []
    try:
        while process > 1:
            process = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
            found.append(process)
    except OSError:
        pass  # it has just ended
    return found


def learnt(result: NetworkResult) -> dict[str, torch.Tensor]:
    """The weights, without biases that a batch norm takes out again, whose gradient is rounding alone."""
    weights = load(result.files["network.safetensors"])
    for name in [name for name in weights if name.endswith(".conv.bias")]:
        del weights[name], weights[name.replace("conv.bias", "bn.running_mean")]
    return weights


@pytest.fixture(autouse=True)
def no_worker_left() -> Iterator[None]:
    yield
    jobs.wait_until(lambda: not any(jobs.alive(process) for process in train_workers()), "workers to end")


def test_trainings_at_once_are_those_that_find_all_their_workers() -> None:
    assert executor_of(TWO).slots == 1
    assert executor_of(TrainingResources(cpus=2)).slots == 1
    assert executor_of(TrainingResources(workers=3)).slots == 1  # a cluster grows by demand


@pytest.mark.skipif(kernels_for(torch.zeros(1)) is None, reason=f"kernels: {available()}")
def test_two_workers_learn_what_one_learns(tmp_path: Path) -> None:
    """A spike that rounding lifts over the threshold parts two trainings; a wrong sum parts all of them."""
    assert any(trained_alike(tmp_path / str(seed), seed) for seed in (1, 2, 3, 4))


def trained_alike(folder: Path, seed: int) -> bool:
    """Train an epoch with one worker and with two; whether they came to the same weights."""
    results = []
    for resources in (TrainingResources(), TWO):
        executor, reports = executor_of(resources), []
        executor.submit(make_job(folder / str(resources.workers), epochs=1, seed=seed))
        result = executor.wait(reports.append)
        assert isinstance(result, NetworkResult), result
        assert [report.epoch for report in reports] == [1]
        results.append(result)
    one, two = results
    executor.submit(make_job(folder / "2", epochs=1, seed=seed))
    again = executor.wait()
    assert (one.reused, two.reused, again.reused) == (False, False, True)
    assert again.evaluations == two.evaluations
    losses = [result.training["history"][0]["loss"] for result in results]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    weights, others = learnt(one), learnt(two)
    assert weights.keys() == others.keys()
    apart = max(float((weights[name] - others[name]).abs().max()) for name in weights)
    return apart < 1e-4 and losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.slow
def test_a_training_goes_on_after_one_of_its_workers_was_killed(tmp_path: Path) -> None:
    executor, reports, killed = executor_of(TWO), [], []

    def on_report(report: EpochReport) -> None:
        reports.append(report.epoch)
        if report.epoch == 2 and not killed:
            killed.append(train_workers()[-1])
            os.kill(killed[0], signal.SIGKILL)

    executor.submit(make_job(tmp_path, epochs=60))
    result = executor.wait(on_report)
    assert isinstance(result, NetworkResult), result
    assert result.training["resumed_from_epoch"] >= 2
    assert (reports[0], reports[-1], len(result.training["history"])) == (1, 60, 60)


@pytest.mark.slow
def test_a_diverged_training_is_one_failure_and_is_not_started_again(tmp_path: Path) -> None:
    executor, reports = executor_of(TWO), []
    executor.submit(make_job(tmp_path, tet_mean=1e38, tet_lambda=1.0))
    outcome = executor.wait(reports.append)
    assert isinstance(outcome, NetworkFailure)
    assert outcome.kind == "diverged"
    assert reports == []


def test_cancel_ends_all_workers_and_frees_their_places(tmp_path: Path) -> None:
    executor = executor_of(TWO)
    executor.submit(make_job(tmp_path, epochs=1000))
    jobs.wait_until(lambda: len(train_workers()) == 2, "both workers to start")
    executor.cancel()
    jobs.wait_until(lambda: not any(jobs.alive(process) for process in train_workers()), "both to end")
    alone = executor_of(TrainingResources())
    alone.submit(make_job(tmp_path / "alone", epochs=1))
    assert isinstance(alone.wait(), NetworkResult)


@pytest.mark.slow
def test_a_killed_coordinator_leaves_its_places_to_the_next_attempt(tmp_path: Path) -> None:
    executor, killed = executor_of(TWO), []

    def on_report(report: EpochReport) -> None:
        if report.epoch == 2 and not killed:
            (attempt,) = executor._running.values()
            killed.append(attempt.worker.pid)
            os.kill(attempt.worker.pid, signal.SIGKILL)
            # As its controller may do, which outlives it by a moment.
            placement_group([{"CPU": 1}, {"CPU": 1}])

    executor.submit(make_job(tmp_path, epochs=60))
    result = executor.wait(on_report)
    assert isinstance(result, NetworkResult), result
    assert (result.attempt, len(result.training["history"])) == (2, 60)
