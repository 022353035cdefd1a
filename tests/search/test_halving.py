"""Successive halving: who goes on, in what order, and who is let go on later."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aster_dse.pareto import hypervolume
from aster_dse.search.halving import Halving, best_fronts

CORNER = np.ones(2)


def front(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, dtype=float).reshape(-1, 2)


def test_rungs_are_shares_of_the_epochs_and_none_is_the_end() -> None:
    assert Halving(3.0, 0.25, CORNER).rungs(12) == {0: 3}
    assert Halving(2.0, 0.125, CORNER).rungs(16) == {0: 2, 1: 4, 2: 8}
    assert Halving(2.0, 0.125, CORNER).rungs(3) == {0: 1, 2: 2}
    assert Halving(2.0, 0.125, CORNER).rungs(1) == {}


def test_one_in_so_many_goes_on_and_it_is_the_best() -> None:
    halving = Halving(3.0, 0.25, [1.0])
    for network, value in enumerate((0.5, 0.4)):
        halving.reach(network, 0, [[value]])
    assert halving.next() is None
    halving.reach(2, 0, [[0.6]])
    assert halving.next() == (1, 0)
    halving.go_on(1, 0)
    assert halving.next() is None


def test_who_was_left_behind_goes_on_when_there_is_room() -> None:
    halving = Halving(2.0, 0.25, [1.0])
    for network, value in enumerate((0.1, 0.2, 0.3)):
        halving.reach(network, 0, [[value]])
    halving.go_on(0, 0)
    assert halving.next() is None
    halving.reach(3, 0, [[0.4]])
    assert halving.next() == (1, 0)


def test_the_farthest_rung_is_served_first() -> None:
    halving = Halving(2.0, 0.125, [1.0])
    for network in range(4):
        halving.reach(network, 0, [[0.1 * network + 0.1]])
    for network in (0, 1):
        halving.go_on(network, 0)
        halving.reach(network, 1, [[0.05]])
    assert halving.next() == (0, 1)


def test_rank_comes_before_gain_and_gain_is_counted_once() -> None:
    fronts = {
        0: front((0.5, 0.5)),
        1: front((0.6, 0.6)),  # dominated by 0, though it has more volume than 2
        2: front((0.95, 0.1)),
        3: front((0.52, 0.49)),  # nearly as much as 0 by itself, next to nothing beside it
    }
    assert best_fronts(fronts, CORNER, 4) == [0, 2, 3, 1]
    assert best_fronts(fronts, CORNER, 2) == [0, 2]


def test_a_network_without_a_point_comes_last() -> None:
    assert best_fronts({0: front(), 1: front((0.9, 0.9))}, CORNER, 2) == [1, 0]


points = st.lists(st.tuples(*(st.floats(0.0, 1.25, width=32),) * 2), max_size=4)


@given(st.dictionaries(st.integers(0, 20), points, min_size=1, max_size=7))
def test_the_first_of_a_rank_are_chosen_greedily(drawn: dict[int, list[tuple[float, float]]]) -> None:
    fronts = {number: front(*found) for number, found in drawn.items()}
    order = best_fronts(fronts, CORNER, len(fronts))
    assert sorted(order) == sorted(fronts)
    assert order == best_fronts(dict(reversed(fronts.items())), CORNER, len(fronts))
    assert order[:2] == best_fronts(fronts, CORNER, 2)
    own = {number: hypervolume(found, CORNER) for number, found in fronts.items()}
    if max(own.values()) > 0.0:
        # The most volume is the first's, among those with a point that nothing dominates.
        everything = np.concatenate(list(fronts.values()))
        free = {
            number
            for number, found in fronts.items()
            if any(not ((everything <= p).all(1) & (everything < p).any(1)).any() for p in found)
        }
        assert own[order[0]] == max(own[number] for number in free)


@given(st.lists(st.floats(0.0, 1.0, width=32), min_size=1, max_size=30), st.floats(1.5, 5.0))
def test_with_one_objective_it_is_the_usual_order(values: list[float], factor: float) -> None:
    halving = Halving(factor, 0.25, [2.0])
    gone: set[int] = set()
    for network, value in enumerate(values):
        halving.reach(network, 0, [[value]])
        while (promoted := halving.next()) is not None:
            seen = sorted((v, n) for n, v in enumerate(values[: network + 1]))
            assert promoted[0] in {n for _, n in seen[: int(len(seen) / factor)]}
            halving.go_on(*promoted)
            gone.add(promoted[0])
    assert len(gone) >= int(len(values) / factor)


def test_the_latest_are_compared() -> None:
    halving = Halving(2.0, 0.25, [1.0])
    for network in range(300):
        halving.reach(network, 0, [[0.1 + network / 1000]])
    # The first 44 were better, and are out of the comparison.
    first = halving.next()
    assert first == (44, 0)
    promoted = []
    while (found := halving.next()) is not None:
        promoted.append(found[0])
        halving.go_on(*found)
    assert promoted == list(range(44, 44 + 128))


def test_of_a_large_front_the_best_points_stand_for_all() -> None:
    angles = np.linspace(0.0, np.pi / 2, 200)
    large = 1.0 - np.stack([np.cos(angles), np.sin(angles)], axis=1)
    halving = Halving(2.0, 0.25, CORNER)
    halving.reach(0, 0, large)
    halving.reach(1, 0, large * 0.9 + 0.1)
    assert halving.next() == (0, 0)
