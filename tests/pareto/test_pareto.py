"""Fronts and hypervolumes, against their definitions and against an independent implementation."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from aster_dse.pareto import (
    Front,
    contributions,
    greedy_gain_subset,
    hypervolume,
    knee_point,
    non_dominated_mask,
    non_dominated_rank,
    reference_point,
)

REFERENCE = 5.0

# Small integers make ties, copies and points on the reference common; thirds are inexact.
VALUES = st.one_of(st.integers(0, 6).map(float), st.integers(0, 18).map(lambda k: k / 3))


def point_sets(most=9, least=0):
    return st.integers(1, 5).flatmap(
        lambda m: st.lists(st.tuples(*[VALUES] * m), min_size=least, max_size=most).map(
            lambda rows: np.array(rows, dtype=float).reshape(-1, m)
        )
    )


def dominates(a, b):
    return bool((a <= b).all() and (a < b).any())


def volume_by_inclusion_and_exclusion(points, reference):
    boxes = [point for point in points if (point < reference).all()]
    total = 0.0
    for size in range(1, len(boxes) + 1):
        for subset in itertools.combinations(boxes, size):
            total += (-1) ** (size + 1) * np.prod(reference - np.max(subset, axis=0))
    return total


class TestDominance:
    @given(point_sets(most=30))
    def test_a_point_is_on_the_front_unless_another_dominates_it(self, points):
        expected = [not any(dominates(other, point) for other in points) for point in points]
        assert non_dominated_mask(points).tolist() == expected

    @given(point_sets(most=30))
    def test_rank_is_the_number_of_fronts_peeled_off_before(self, points):
        ranks = non_dominated_rank(points)
        left = np.arange(len(points))
        for front in itertools.count():
            if not len(left):
                break
            mask = non_dominated_mask(points[left])
            assert (ranks[left[mask]] == front).all()
            assert (ranks[left[~mask]] > front).all()
            left = left[~mask]

    @given(point_sets(most=20), st.randoms(use_true_random=False))
    def test_the_order_of_points_does_not_matter(self, points, random):
        order = list(range(len(points)))
        random.shuffle(order)
        assert (non_dominated_mask(points[order]) == non_dominated_mask(points)[order]).all()

    def test_copies_of_a_front_point_all_stay(self):
        assert non_dominated_mask([[1, 2], [1, 2], [2, 1], [2, 2]]).tolist() == [True, True, True, False]

    @pytest.mark.parametrize("objectives", [1, 2, 3, 4])
    def test_sets_of_more_than_one_block_agree_with_the_definition(self, objectives):
        points = np.random.default_rng(1).integers(0, 40, (900, objectives)).astype(float)
        nowhere_worse = (points[:, None] <= points[None]).all(axis=2)
        better = (points[:, None] < points[None]).any(axis=2)
        assert (non_dominated_mask(points) == ~(nowhere_worse & better).any(axis=0)).all()

    def test_no_points_have_no_front(self):
        assert non_dominated_mask(np.empty((0, 3))).shape == (0,)
        assert non_dominated_rank([]).shape == (0,)

    @pytest.mark.parametrize("points", [[[np.nan, 1.0]], [1.0, 2.0], np.zeros((2, 0))])
    def test_what_has_no_order_is_refused(self, points):
        with pytest.raises(ValueError, match=r"NaN|shape"):
            non_dominated_mask(points)


class TestHypervolume:
    @settings(max_examples=60)
    @given(point_sets(most=7))
    def test_equals_inclusion_and_exclusion(self, points):
        reference = np.full(points.shape[1], REFERENCE)
        expected = volume_by_inclusion_and_exclusion(points, reference)
        assert hypervolume(points, reference) == pytest.approx(expected, abs=1e-9)

    @pytest.mark.parametrize("objectives", [2, 3, 4])
    def test_equals_an_independent_implementation_on_a_large_front(self, objectives):
        optuna_hypervolume = pytest.importorskip("optuna._hypervolume").compute_hypervolume
        normal = np.abs(np.random.default_rng(objectives).normal(size=(250, objectives)))
        points = 1.0 - normal / np.linalg.norm(normal, axis=1, keepdims=True)
        reference = np.full(objectives, 1.1)
        assert hypervolume(points, reference) == pytest.approx(
            optuna_hypervolume(points, reference), rel=1e-12
        )

    @given(point_sets(most=20), st.randoms(use_true_random=False))
    def test_the_order_of_points_does_not_matter(self, points, random):
        reference = np.full(points.shape[1], REFERENCE)
        order = list(range(len(points)))
        random.shuffle(order)
        assert hypervolume(points[order], reference) == pytest.approx(
            hypervolume(points, reference), abs=1e-9
        )

    @given(point_sets(most=20, least=1))
    def test_the_order_of_objectives_does_not_matter(self, points):
        reference = np.full(points.shape[1], REFERENCE)
        turned = hypervolume(points[:, ::-1], reference)
        assert turned == pytest.approx(hypervolume(points, reference), abs=1e-9)

    @given(point_sets(most=20, least=1))
    def test_another_point_never_makes_it_smaller(self, points):
        reference = np.full(points.shape[1], REFERENCE)
        assert hypervolume(points, reference) >= hypervolume(points[:-1], reference) - 1e-9

    def test_a_point_not_better_than_the_reference_everywhere_has_no_volume(self):
        assert hypervolume([[0.0, 5.0], [6.0, 0.0]], [5.0, 5.0]) == 0.0
        assert hypervolume([], [5.0, 5.0]) == 0.0

    @pytest.mark.parametrize("reference", [[np.inf, 1.0], [[1.0, 1.0]], [np.nan, 1.0], [1.0, 1.0, 1.0]])
    def test_a_reference_must_be_a_finite_row_that_fits(self, reference):
        with pytest.raises(ValueError, match=r"reference point|shape"):
            hypervolume([[0.0, 0.0]], reference)


class TestContributions:
    @given(point_sets(most=8))
    def test_are_what_is_lost_without_the_point(self, points):
        reference = np.full(points.shape[1], REFERENCE)
        whole = hypervolume(points, reference)
        lost = [whole - hypervolume(np.delete(points, i, axis=0), reference) for i in range(len(points))]
        assert contributions(points, reference) == pytest.approx(lost, abs=1e-9)


class TestFront:
    @given(point_sets(most=20))
    def test_gains_add_up_to_the_hypervolume(self, points):
        reference = np.full(points.shape[1], REFERENCE)
        front = Front(reference)
        gains = [front.insert(point) for point in points]
        assert min(gains, default=0.0) >= 0.0
        assert sum(gains) == pytest.approx(hypervolume(points, reference), abs=1e-9)
        assert front.hypervolume == sum(gains)

    @given(point_sets(most=20))
    def test_the_mask_is_that_of_all_points_inserted(self, points):
        front = Front(np.full(points.shape[1], REFERENCE))
        for count, point in enumerate(points, start=1):
            front.insert(point)
            assert (front.mask == non_dominated_mask(points[:count])).all()
        assert len(front) == len(points)
        assert (front.points == points[non_dominated_mask(points)]).all()

    @given(point_sets(most=12, least=2))
    def test_a_foretold_gain_is_the_gain_and_inserts_nothing(self, points):
        front = Front(np.full(points.shape[1], REFERENCE))
        half = len(points) // 2
        for point in points[:half]:
            front.insert(point)
        before = front.hypervolume
        foretold = front.gains(points[half:])
        assert front.hypervolume == before
        assert len(front) == half
        assert foretold[0] == pytest.approx(front.insert(points[half]), abs=1e-9)

    def test_holds_only_finite_points(self):
        with pytest.raises(ValueError, match="finite"):
            Front([1.0, 1.0]).insert([0.0, -np.inf])


class TestSelection:
    @given(point_sets(most=10), st.integers(0, 5))
    def test_each_choice_is_the_best_given_those_before(self, points, count):
        reference = np.full(points.shape[1], REFERENCE)
        there, candidates = points[: len(points) // 3], points[len(points) // 3 :]
        chosen, gains = greedy_gain_subset(candidates, there, reference, count)
        assert len(set(chosen.tolist())) == len(chosen) <= count
        kept = there
        for index, gain in zip(chosen, gains, strict=True):
            base = hypervolume(kept, reference)
            possible = [hypervolume(np.vstack([kept, [point]]), reference) - base for point in candidates]
            assert gain == pytest.approx(max(possible), abs=1e-9)
            assert gain == pytest.approx(possible[index], abs=1e-9)
            kept = np.vstack([kept, [candidates[index]]])
        if len(chosen) < count:
            everything = hypervolume(np.vstack([there, candidates]), reference)
            assert hypervolume(kept, reference) == pytest.approx(everything, abs=1e-9)

    def test_choosing_all_of_a_front_reaches_its_hypervolume(self):
        normal = np.abs(np.random.default_rng(0).normal(size=(60, 4)))
        points = 1.0 - normal / np.linalg.norm(normal, axis=1, keepdims=True)
        _, gains = greedy_gain_subset(points, np.empty((0, 4)), np.ones(4), 60)
        assert gains.sum() == pytest.approx(hypervolume(points, np.ones(4)))
        assert (np.diff(gains) <= 1e-12).all()

    def test_the_knee_is_where_the_trade_off_bends(self):
        points = [[0.0, 100.0], [1.0, 10.0], [2.0, 9.0], [10.0, 0.0], [5.0, 50.0]]
        assert knee_point(points) == 1

    @given(point_sets(most=15, least=1), st.integers(1, 1000))
    def test_the_knee_is_on_the_front_whatever_the_units(self, points, unit):
        knee = knee_point(points)
        assert non_dominated_mask(points)[knee]
        factors = np.ones(points.shape[1])
        factors[0] = 2.0 ** unit.bit_length()  # exact in floating point
        assert knee_point(points * factors) == knee

    def test_no_points_have_no_knee(self):
        with pytest.raises(ValueError, match="at least one point"):
            knee_point(np.empty((0, 2)))


class TestReferencePoint:
    def test_lies_beyond_the_worst_by_a_tenth_of_the_spread(self):
        assert reference_point([[0.0, 2.0, 0.0], [10.0, 2.0, 0.0]]).tolist() == pytest.approx(
            [11.0, 2.2, 0.1]
        )

    @given(point_sets(most=15, least=1))
    def test_is_worse_than_every_point(self, points):
        assert (points < reference_point(points)).all()
