"""The model of networks: it knows what it was told, and goes where fronts get better."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aster_dse.evaluation import Evaluation
from aster_dse.search.network_model import NetworkModel
from aster_dse.search.surrogate import GaussianProcess
from aster_dse.space import SearchSpace

SPACE = SearchSpace.from_mapping(
    {
        "name": "model",
        "workload": {"name": "digits"},
        "network": {"neuron": {"choices": ["lif", "plif"]}},
        "training": {
            "learning_rate": {"low": 0.0001, "high": 1.0},
            "weight_decay": {"low": 0.0, "high": 1.0},
        },
        "objectives": {"accuracy": "max", "energy_uj": "min"},
    }
)
REFERENCE = {"accuracy": 0.0, "energy_uj": 10.0}
BEST = np.array([0.7, 0.3])


def place(assignment: dict[str, Any]) -> np.ndarray:
    return np.array([assignment["training.learning_rate"], assignment["training.weight_decay"]])


def front(assignment: dict[str, Any], *, bound: float = 0.0) -> list[Evaluation]:
    """Better all along the nearer the network is to the best place, and with plif."""
    loss = float(np.square(place(assignment) - BEST).sum()) + 0.2 * (assignment["network.neuron"] == "lif")
    points = [
        {"accuracy": 0.95 - loss - 0.1 * cheap, "energy_uj": 6.0 - 4.0 * cheap + loss}
        for cheap in (0.0, 0.3, 0.6, 1.0)
    ]
    return [
        Evaluation({}, point, violation=max(bound - point["accuracy"], 0.0) if bound else 0.0)
        for point in points
    ]


def drawn(rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
    rows = rng.random((count, len(SPACE.outer))).tolist()
    return [{p.path: p.from_unit(u) for p, u in zip(SPACE.outer, row, strict=True)} for row in rows]


def taught(count: int, *, bound: float = 0.0, seed: int = 0) -> tuple[NetworkModel, np.random.Generator]:
    rng = np.random.default_rng(seed)
    model = NetworkModel(SPACE.outer, SPACE.objectives, REFERENCE)
    for assignment in drawn(rng, count):
        model.learn(assignment, front(assignment, bound=bound))
    return model, rng


@pytest.mark.parametrize("seed", range(4))
def test_it_goes_where_fronts_get_better(seed: int) -> None:
    model, rng = taught(10, seed=seed)
    tried = []
    for _ in range(8):
        tried.append(model.propose(rng, [])[0])
        model.learn(tried[-1], front(tried[-1]))
    best = min(tried, key=lambda assignment: -front(assignment)[0].metrics["accuracy"])
    assert np.linalg.norm(place(best) - BEST) < 0.15
    assert best["network.neuron"] == "plif"


def test_of_listed_networks_it_ranks_all_and_makes_up_none() -> None:
    model, rng = taught(12)
    listed = drawn(rng, 40)
    ranked = model.propose(rng, [], listed)
    assert sorted(map(str, ranked)) == sorted(map(str, listed))
    losses = [-front(assignment)[0].metrics["accuracy"] for assignment in ranked]
    assert np.mean(losses[:8]) < np.mean(losses[-8:])


def test_what_is_being_trained_is_not_wanted_once_more() -> None:
    model, _ = taught(12)
    first = model.propose(np.random.default_rng(1), [])[0]
    second = model.propose(np.random.default_rng(1), [first])[0]
    assert np.abs(place(first) - place(second)).max() > 0.01


def test_while_nothing_is_feasible_it_goes_where_less_is_violated() -> None:
    model, rng = taught(12, bound=2.0)
    proposed = model.propose(rng, [])[0]
    before = min(e.violation for a in drawn(np.random.default_rng(0), 12) for e in front(a, bound=2.0))
    assert min(e.violation for e in front(proposed, bound=2.0)) < before + 0.05


def test_a_seed_decides() -> None:
    model, _ = taught(8)
    proposals = [model.propose(np.random.default_rng(seed), [])[0] for seed in (0, 0, 1)]
    assert proposals[0] == proposals[1] != proposals[2]


def test_networks_that_are_all_alike_are_no_trouble() -> None:
    model = NetworkModel(SPACE.outer, SPACE.objectives, REFERENCE)
    (assignment,) = drawn(np.random.default_rng(0), 1)
    for _ in range(5):
        model.learn(assignment, [Evaluation({}, {"accuracy": 0.5, "energy_uj": 1.0})])
    assert len(model.propose(np.random.default_rng(0), [])) > 1_000


def test_a_process_goes_through_what_it_was_told_and_is_unsure_elsewhere() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.random((30, 2))
    outputs = np.stack([np.sin(3 * inputs[:, 0]), inputs[:, 1] ** 2], axis=1)
    process = GaussianProcess(inputs, outputs)
    mean, deviation = process.predict(inputs)
    np.testing.assert_allclose(mean, outputs, atol=0.03)
    far_mean, far = process.predict(np.array([[3.0, -2.0]]))
    assert (far > 3 * deviation.max(axis=0)).all()
    assert np.isfinite(far_mean).all()
    fresh = rng.random((50, 2))
    truth = np.stack([np.sin(3 * fresh[:, 0]), fresh[:, 1] ** 2], axis=1)
    mean, deviation = process.predict(fresh)
    assert (np.abs(mean - truth) < 4 * deviation + 0.02).mean() > 0.9


def test_networks_that_are_no_longer_remembered_do_not_decide() -> None:
    rng = np.random.default_rng(0)
    model = NetworkModel(SPACE.outer, SPACE.objectives, REFERENCE)
    first, *others = drawn(rng, 258)
    model.learn(first, front(first))
    for network in others:
        model.learn(network, [Evaluation({}, {"accuracy": 0.1, "energy_uj": 20.0}, violation=1.0)])
    assert model.propose(rng, [])


def test_looks_say_where_fronts_will_be() -> None:
    """Known to their ends are networks in one corner; looks, which fall short by as much everywhere, tell of
    the rest."""
    rng = np.random.default_rng(1)
    blind = NetworkModel(SPACE.outer, SPACE.objectives, REFERENCE)
    seeing = NetworkModel(SPACE.outer, SPACE.objectives, REFERENCE)
    networks = drawn(rng, 60)
    corner = [n for n in networks if place(n)[0] < 0.4][:6]
    for network in corner:
        for model in (blind, seeing):
            model.learn(network, front(network))
    for network in networks:
        early = [
            Evaluation({}, {**one.metrics, "accuracy": one.metrics["accuracy"] - 0.2})
            for one in front(network)
        ]
        seeing.learn_early(network, early, 0)
    assert (blind.ends, len(blind)) == (6, 6)
    assert (seeing.ends, len(seeing)) == (6, 60)
    left = drawn(rng, 40)

    def loss(model: NetworkModel) -> float:
        best = model.propose(np.random.default_rng(2), [], left)[0]
        return float(np.square(place(best) - BEST).sum()) + 0.2 * (best["network.neuron"] == "lif")

    losses = sorted(
        float(np.square(place(n) - BEST).sum()) + 0.2 * (n["network.neuron"] == "lif") for n in left
    )
    assert loss(seeing) <= losses[4]
