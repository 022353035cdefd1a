"""Drives jobs on images that stay on the disk, on two nodes: ``driver_with_pictures.py FOLDER``.

FOLDER/here and FOLDER/there hold the same data set; one of the nodes has its data in the second.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from worker_jobs import OnReport, result

from aster_dse.errors import InputError
from aster_dse.search.job_data import data_for
from aster_dse.search.protocol import NetworkFailure, NetworkJob, Outcome
from aster_dse.space import Candidate, WorkloadConfig
from aster_dse.workers.cluster import join
from aster_dse.workers.executor import RayExecutor
from aster_dse.workers.nodes import check_nodes
from aster_dse.workload import Workload, identify_data

PETS = WorkloadConfig(name="image-folder", folder="pets", classes=2, resolution=32, timesteps=1)


def look(job: NetworkJob, *, workload: Workload | None, on_report: OnReport) -> Outcome:  # noqa: ARG001
    """Says what it was given, and what it read itself."""
    data = data_for(job, workload)
    return result(
        job, given=workload is not None, seen=int(data.train.frames[:].sum()), data=data.config.data
    )


def said(workload: WorkloadConfig, data: Path) -> str:
    try:
        return str(check_nodes([workload], data))
    except InputError as error:
        return str(error)


def main(folder: Path) -> None:
    here, there = folder / "here", folder / "there"
    known = identify_data(PETS, data=here)
    assert known is not None
    pets = PETS.model_copy(update={"data": known.sha256})
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1, env_vars={"ASTER_DSE_DATA": str(there)})
    cluster.wait_for_nodes()
    try:
        with join(cluster.address):
            report: dict[str, object] = {"both": said(pets, here)}
            executor = RayExecutor(run=look, data=here)
            job = NetworkJob("study", 0, Candidate(workload=pets), (), (), str(folder))
            executor.submit(job)
            first = executor.wait()
            assert not isinstance(first, NetworkFailure), first
            report["first"] = first.training  # type: ignore[union-attr]
            shutil.rmtree(here / "pets" / "train" / "dog")
            shutil.copytree(here / "pets" / "train" / "cat", here / "pets" / "train" / "dog")
            report["one"] = said(pets, here)
            shutil.rmtree(there)
            report["none"] = said(pets, here)
            executor.close()
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
