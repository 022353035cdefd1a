"""Drives two jobs on two nodes and takes one, busy, away: ``driver_two_nodes.py FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from worker_jobs import make_job, make_workload, tick, wait_until

from aster_dse.workers.cluster import join
from aster_dse.workers.executor import RayExecutor

HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
}
"""A node is lost after 1.5 s without an answer; Ray waits half a minute by default."""


def main(folder: Path) -> None:
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": HEALTH}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    lost, _kept = (cluster.add_node(num_cpus=1) for _ in range(2))
    cluster.wait_for_nodes()
    try:
        with join(cluster.address):
            executor = RayExecutor(run=tick, load=make_workload)
            slots = executor.slots
            for trial in (0, 1):
                executor.submit(make_job(trial, folder))
            running = [folder / f"{trial}.alive" for trial in (0, 1)]
            wait_until(lambda: all(path.exists() for path in running), "two jobs running")
            cluster.remove_node(lost, allow_graceful=False)
            (folder / "stop").touch()
            outcomes = [executor.wait() for _ in range(2)]
            wait_until(lambda: executor.slots == slots - 1, "the lost node to be gone")
            report = {
                "slots": slots,
                "trials": sorted(outcome.trial for outcome in outcomes),
                "attempts": sorted(outcome.attempt for outcome in outcomes),
                "paths": [outcome.training["path"] for outcome in outcomes],
                "types": [type(outcome).__name__ for outcome in outcomes],
            }
            executor.close()
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
