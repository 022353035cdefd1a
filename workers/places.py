"""Places for jobs on a cluster: how many there are, what they lack, and giving back those of the dead."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import ray
from ray import exceptions

__all__ = ["free", "free_all_places", "places_on", "shortage"]

_LOOKS, _BETWEEN_LOOKS_S = 15, 0.2
"""For places that a cancelled training, or one whose coordinator died, is only about to get."""


def places_on(resources: Mapping[str, float], needs: Mapping[str, float]) -> int:
    """Workers that find what they need on one node."""
    return int(min(resources.get(name, 0.0) / need for name, need in needs.items() if need > 0))


def shortage(needs: Mapping[str, float], workers: int) -> str:
    """What a training of so many workers asks for and what the machines have; empty where they have it."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if sum(places_on(resources, needs) for resources in nodes) >= workers:
        return ""
    asked = " and ".join(f"{need:g} {name}s" for name, need in needs.items() if need > 0)
    each = f" for each of {workers} workers" if workers > 1 else ""
    had = " and ".join(f"{sum(node.get(name, 0.0) for node in nodes):g} {name}s" for name in needs)
    machines = "1 machine" if len(nodes) == 1 else f"{len(nodes)} machines"
    return f"a training asks for {asked}{each}; the cluster has {had} on {machines}"


def free(group: Any) -> None:
    """Give back the places of a training whose coordinator died.

    Ray Train does so itself where the cluster has Ray's dashboard, by which it notices; a local one has none.
    """
    from ray.util.placement_group import remove_placement_group

    with suppress(exceptions.RayError, ValueError):
        remove_placement_group(group)


def free_all_places(*, but: Collection[str] = (), to_the_end: bool = False) -> None:
    """Of this driver's trainings, those just being made included; groups of other drivers are theirs.

    Args:
        but: ids of groups that are in use.
        to_the_end: look again also after nothing was left.
    """
    from ray.util.placement_group import PlacementGroup, placement_group_table

    job = ray.get_runtime_context().get_job_id()
    for _ in range(_LOOKS):
        left = [
            name
            for name, group in placement_group_table().items()
            if name.endswith(job) and group["state"] != "REMOVED" and name not in but
        ]
        for name in left:
            free(PlacementGroup(ray.PlacementGroupID.from_hex(name)))
        if left or to_the_end:
            time.sleep(_BETWEEN_LOOKS_S)
