"""What ``auto`` stands for: by objectives, by what is known, and by what a training costs."""

from __future__ import annotations

import pytest

from aster_dse.search.automatic import choose, training_macs
from aster_dse.space import load_space


@pytest.mark.parametrize(
    ("objectives", "networks", "points", "macs", "sampler"),
    [
        (4, 0, 0, 1e8, "gp"),
        (1, 999, 8_000, 1e8, "gp"),
        (4, 1_000, 3_999, 1e8, "tpe"),
        (4, 1_000, 4_000, 1e8, "nsga3"),
        (2, 63, 500, 1e6, "gp"),
        (2, 64, 500, 1e6, "tpe"),
        (2, 600, 4_800, 1e6, "nsga3"),
        (2, 500, 4_000, None, "gp"),
        (5, 0, 0, 1e12, "tpe"),
        (6, 900, 7_200, 1e12, "nsga3"),
    ],
)
def test_it_depends_on_objectives_history_and_cost(
    objectives: int, networks: int, points: int, macs: float | None, sampler: str
) -> None:
    choice = choose(objectives=objectives, networks=networks, points=points, macs=macs)
    assert choice.sampler == sampler
    assert f"{objectives} objectives, {networks} networks known" in choice.reason


def test_larger_networks_cost_more() -> None:
    costs = [training_macs(load_space(name)) for name in ("digits", "digits_dvs", "cifar10", "imagenet")]
    assert None not in costs
    assert costs == sorted(costs, key=lambda cost: cost or 0.0)


def test_where_there_is_no_such_network_the_cost_is_unknown() -> None:
    space = load_space("digits_dvs").override("workload.name=nowhere")
    assert training_macs(space) is None
    assert "costs unknown" in choose(objectives=2, networks=0, points=0, macs=None).reason
