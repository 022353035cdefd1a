"""Whether every machine of a cluster has the data that its workers will read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from aster_dse.errors import InputError
from aster_dse.search.job_data import problem_with
from aster_dse.space import WorkloadConfig
from aster_dse.workload.trees import VARIABLE, data_root

__all__ = ["check_nodes"]

_SAID = 3
"""Machines that the message names; of the others it says how many there are."""


def check_nodes(workloads: Sequence[WorkloadConfig], data: Path | None) -> int:
    """Have every machine of the connected cluster identify data sets, at the same time.

    A machine looks where the data lies on the driver's machine, then where ``ASTER_DSE_DATA`` says in the
    environment that Ray was started in there.

    Args:
        workloads: identified (``WorkloadConfig.data``).
        data: folder in which data sets lie on this machine; None for the usual one.

    Returns:
        How many machines have the data.

    Raises:
        InputError: some have not, or have other data.
    """
    told = str(data_root(data).absolute())
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0.0) > 0]
    task = ray.remote(num_cpus=0, max_retries=0)(problem_with)
    asked = [
        (node, task.options(scheduling_strategy=_on(node)).remote(workload, told))
        for node in nodes
        for workload in workloads
    ]
    wrong: dict[str, str] = {}
    for node, answer in asked:
        problem = _answer(answer)
        if problem:
            wrong.setdefault(node["NodeID"], f"{node['NodeManagerAddress']}: {problem}")
    if wrong:
        named = "; ".join(list(wrong.values())[:_SAID])
        more = f"; and {len(wrong) - _SAID} more" if len(wrong) > _SAID else ""
        raise InputError(
            "--address",
            f"{len(wrong)} of {len(nodes)} machines of the cluster cannot read the data: {named}{more}",
            f"copy it to {told} there, or start Ray there with {VARIABLE} set to its folder",
        )
    return len(nodes)


def _on(node: dict[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _answer(answer: Any) -> str:
    try:
        return str(ray.get(answer))
    except exceptions.RayError as error:
        return str(error).strip().splitlines()[-1].strip()
