"""Jobs that no machine has a place for: what they ask for is said, and none of them is said to have begun."""

from __future__ import annotations

from pathlib import Path

import pytest
import worker_jobs as jobs

from aster_dse.search.protocol import JobStarted, JobsWait, Notice
from aster_dse.space import TrainingResources

pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray"), pytest.mark.usefixtures("ray_cluster")]


class EnoughError(Exception):
    """Leaves a wait that has no end."""


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        (
            {"gpus": 1},
            "a training asks for 1 CPUs and 1 GPUs; the cluster has 2 CPUs and 0 GPUs on 1 machine",
        ),
        ({"cpus": 3}, "a training asks for 3 CPUs; the cluster has 2 CPUs and 0 GPUs on 1 machine"),
    ],
)
def test_what_a_cluster_lacks_is_said_again_and_again(
    resources: dict[str, int], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aster_dse.workers import executor as module

    monkeypatch.setattr(module, "SAY_EVERY_S", 0.5)
    executor = module.RayExecutor(
        run=jobs.measure, load=jobs.make_workload, resources=TrainingResources(**resources)
    )
    heard: list[Notice] = []

    def hear(notice: Notice) -> None:
        heard.append(notice)
        if len(heard) == 2:
            raise EnoughError

    executor.on_notice = hear
    executor.submit(jobs.make_job(0, tmp_path))
    with pytest.raises(EnoughError):
        executor.wait()
    executor.close()
    assert heard == [JobsWait(said), JobsWait(said)]


def test_a_job_begins_when_it_has_a_worker(tmp_path: Path) -> None:
    from aster_dse.workers.executor import RayExecutor

    executor = RayExecutor(run=jobs.tick, load=jobs.make_workload)
    heard: list[Notice] = []

    def hear(notice: Notice) -> None:
        heard.append(notice)
        if len(heard) == 2:
            (tmp_path / "stop").touch()

    executor.on_notice = hear
    for trial in range(3):
        executor.submit(jobs.make_job(trial, tmp_path))
    first = executor.wait()
    assert heard == [JobStarted(0), JobStarted(1)] or {0, 1} == {notice.trial for notice in heard[:2]}
    assert {first.trial, executor.wait().trial, executor.wait().trial} == {0, 1, 2}
    assert [notice.trial for notice in heard if isinstance(notice, JobStarted)][2:] == [2]
