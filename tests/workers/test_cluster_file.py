"""``ray_cluster.yaml`` is what Ray's cluster launcher takes."""

from __future__ import annotations

import copy
import ipaddress
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

FILE = Path(__file__).parents[2] / "ray_cluster.yaml"


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def validate(config: dict[str, Any]) -> dict[str, Any]:
    """What ``ray up`` does before it reaches for a machine."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared: dict[str, Any] = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    return prepared


def test_ray_s_schema_accepts_it(cluster: dict[str, Any]) -> None:
    import ray.autoscaler

    schema = json.loads(Path(ray.autoscaler.__file__).with_name("ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)


def test_ray_accepts_it_with_every_worker(cluster: dict[str, Any]) -> None:
    (machines,) = validate(cluster)["available_node_types"].values()
    assert machines["min_workers"] == machines["max_workers"] == len(cluster["provider"]["worker_ips"])


def test_the_cloud_example_in_its_comments_is_valid_too(cluster: dict[str, Any]) -> None:
    example = re.search(r"#   provider: \{type: aws.*?\n#\n", FILE.read_text(), re.DOTALL)
    assert example
    cloud = yaml.safe_load(example.group().replace("#   ", "").replace("#\n", "\n"))
    kept = {name: value for name, value in cluster.items() if name not in ("provider", "auth")}
    prepared = validate(kept | cloud)
    assert prepared["available_node_types"]["head"]["resources"] == {"CPU": 0}
    assert prepared["available_node_types"]["worker"]["min_workers"] >= 1


def test_no_real_machine_is_named(cluster: dict[str, Any]) -> None:
    documentation = ipaddress.ip_network("192.0.2.0/24")
    machines = [cluster["provider"]["head_ip"], *cluster["provider"]["worker_ips"]]
    assert all(ipaddress.ip_address(machine) in documentation for machine in machines)


@pytest.mark.parametrize("role", ["head", "worker"])
def test_every_machine_asks_for_a_token_computes_on_one_thread_and_reports_to_nobody(
    cluster: dict[str, Any], role: str
) -> None:
    commands = " ".join(cluster[f"{role}_start_ray_commands"])
    for setting in ("RAY_AUTH_MODE=token", "RAY_USAGE_STATS_ENABLED=0", "OMP_NUM_THREADS=1"):
        assert setting in commands


def test_the_head_trains_nothing_and_shows_its_dashboard_to_itself(cluster: dict[str, Any]) -> None:
    start = " ".join(cluster["head_start_ray_commands"])
    assert "--num-cpus=0" in start
    assert "--dashboard-host=127.0.0.1" in start
