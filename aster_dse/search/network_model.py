"""Proposes the network whose whole front is expected to add most hypervolume.

The hypervolume of a set of points is, up to a constant, the mean over random directions of the k-th power of
how far the set reaches along each of them (k objectives). A trained network comes with its whole front, so
its reach along every direction is known exactly; a Gaussian process says what the reach of an untrained
network will be; and the expected gain of hypervolume is a mean over directions of one-dimensional integrals.

Source: Golovin and Zhang, "Random Hypervolume Scalarizations for Provable Multi-Objective Black Box
Optimization", ICML 2020; that a network is told by its front instead of by a point is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, qmc  # type: ignore[import-untyped]

from aster_dse.evaluation import Evaluation
from aster_dse.pareto import non_dominated_mask, reference_point
from aster_dse.search.surrogate import GaussianProcess
from aster_dse.space import Choice, Parameter

__all__ = ["NetworkModel"]

Array = NDArray[np.float64]

_DIRECTIONS = 256
_CANDIDATES = 1_024
"""Networks that are drawn to be judged, where they cannot be listed."""
_NEIGHBOURS = 256
"""Networks near the best ones that are judged beside them."""
_STEP = 0.1
_MARGIN = 0.5
"""Spreads of the front so far beyond its worst corner, from where reach is measured."""
_REMEMBERED = 256
_GROWTHS = 3
"""Networks known at a rung and at the end, from which on those known at the rung alone are foreseen."""
_QUANTILES = norm.ppf((np.arange(12) + 0.5) / 12)
"""Equally likely values of a standard normal distribution."""


@dataclass(frozen=True, eq=False)
class _Network:
    place: Array
    """``[d]`` its knobs in the unit cube."""
    points: Array
    """``[n, m]`` its feasible front, less is better."""
    violation: float
    """Least violation of the constraints."""


class NetworkModel:
    """Learns from fronts of networks.

    Args:
        parameters: the searched knobs that need a training.
        objectives: metric to ``max`` or ``min``.
        reference: point of the hypervolume, by objective.
    """

    def __init__(
        self, parameters: Sequence[Parameter], objectives: Mapping[str, str], reference: Mapping[str, float]
    ) -> None:
        self._parameters = tuple(parameters)
        self._objectives = tuple(objectives)
        self._signs = np.array([-1.0 if goal == "max" else 1.0 for goal in objectives.values()])
        self._reference: Array = self._signs * np.array([reference[name] for name in objectives])
        self._networks: list[_Network] = []
        self._looks: list[tuple[int, _Network]] = []

    def __len__(self) -> int:
        """Networks that it knows something of."""
        return len({network.place.tobytes() for network in self._networks + [n for _, n in self._looks]})

    @property
    def ends(self) -> int:
        """Networks that it knows the end of."""
        return len(self._networks)

    def learn(self, assignment: Mapping[str, Any], evaluations: Sequence[Evaluation]) -> None:
        """Take in a trained network with its front, or with what violates least."""
        self._networks.append(self._network(assignment, evaluations))

    def learn_early(
        self, assignment: Mapping[str, Any], evaluations: Sequence[Evaluation], rung: int
    ) -> None:
        """Take in a network with the front that it had when its training reached a rung."""
        self._looks.append((rung, self._network(assignment, evaluations)))

    def _network(self, assignment: Mapping[str, Any], evaluations: Sequence[Evaluation]) -> _Network:
        feasible = [evaluation for evaluation in evaluations if evaluation.feasible]
        rows = [[evaluation.metrics[name] for name in self._objectives] for evaluation in feasible]
        points = self._signs * np.array(rows, dtype=np.float64).reshape(-1, len(self._objectives))
        violation = 0.0 if feasible else min((e.violation for e in evaluations), default=0.0)
        return _Network(self._place(assignment), points, violation)

    def propose(
        self,
        rng: np.random.Generator,
        pending: Iterable[Mapping[str, Any]],
        candidates: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """Assignments of the trained knobs, the most promising first; conditions are not looked at.

        Args:
            pending: networks that are being trained: they are taken to turn out as expected.
            candidates: all networks that are left, where they can be listed.
        """
        waiting = [self._place(assignment) for assignment in pending]
        points = self._candidates(rng) if candidates is None else [dict(c) for c in candidates]
        places = np.array([self._place(point) for point in points])
        whole = self._networks[-_REMEMBERED:]
        if any(len(network.points) for network in whole):
            gains = self._gains(rng, whole, waiting, places)
        else:
            gains = _least_violation(whole, waiting, places)
        order = np.argsort(-gains, kind="stable")
        return [points[index] for index in order.tolist()]

    # --- gains

    def _gains(
        self,
        rng: np.random.Generator,
        whole: Sequence[_Network],
        waiting: Sequence[Array],
        places: Array,
    ) -> Array:
        directions = np.abs(rng.standard_normal((_DIRECTIONS, len(self._signs))))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        everything = np.concatenate([network.points for network in whole])
        corner = self._corner(everything)
        ideal = np.minimum(everything.min(axis=0), corner)
        scale = np.where(corner > ideal, corner - ideal, 1.0)

        def reach_of(networks: Sequence[_Network]) -> Array:
            return np.array([_reach(network.points, corner, directions, scale) for network in networks])

        inputs, reach = self._foreseen(whole, reach_of)
        fresh = [place for place in waiting if not (inputs == place).all(axis=1).any()]
        if fresh:
            expected = GaussianProcess(inputs, reach).predict(np.array(fresh))[0]
            inputs = np.concatenate([inputs, np.array(fresh)])
            reach = np.concatenate([reach, np.maximum(expected, 0.0)])
        best = reach.max(axis=0)
        mean, deviation = GaussianProcess(inputs, reach).predict(places)
        power = len(self._signs)
        gains = np.zeros(len(places))
        for quantile in _QUANTILES:
            guess = np.maximum(mean + quantile * deviation, best)
            gains += (guess**power - best**power).mean(axis=1)
        return gains / len(_QUANTILES)

    def _foreseen(
        self, whole: Sequence[_Network], reach_of: Callable[[Sequence[_Network]], Array]
    ) -> tuple[Array, Array]:
        """Places ``[n, d]`` and reach ``[n, D]`` of the networks trained to the end and, behind them, of the
        others as they would turn out: as far as they reached, and what those trained to the end grew by from
        the same rung."""
        inputs, reach = [network.place for network in whole], reach_of(whole)
        ended = {network.place.tobytes(): index for index, network in enumerate(whole)}
        looks = self._looks[-_REMEMBERED:]
        latest = {network.place.tobytes(): rung for rung, network in looks}
        found = [reach]
        for rung in sorted(set(latest.values())):
            there = [network for at, network in looks if at == rung]
            both = [network for network in there if network.place.tobytes() in ended]
            only = [n for n in there if n.place.tobytes() not in ended and latest[n.place.tobytes()] == rung]
            if only and len(both) >= _GROWTHS:
                grown = reach[[ended[network.place.tobytes()] for network in both]] - reach_of(both)
                growth = GaussianProcess(np.array([network.place for network in both]), grown)
                more, _ = growth.predict(np.array([network.place for network in only]))
                inputs += [network.place for network in only]
                found.append(np.maximum(reach_of(only) + more, 0.0))
        return np.array(inputs), np.concatenate(found)

    def _corner(self, points: Array) -> Array:
        """From where reach is measured: somewhat beyond the worst corner of the front so far, or the
        reference point where that is nearer. A study's reference point is known before anything is trained
        and lies far away: seen from there, all good networks look alike."""
        inside = points[(points < self._reference).all(axis=1)]
        if not len(inside):
            return self._reference
        nearer = reference_point(inside[non_dominated_mask(inside)], _MARGIN)
        corner: Array = np.minimum(nearer, self._reference)
        return corner

    # --- candidates

    def _candidates(self, rng: np.random.Generator) -> list[dict[str, Any]]:
        """Points that fill the space, and neighbours of the networks that reach farthest."""
        dimensions = len(self._parameters)
        units = qmc.Sobol(dimensions, scramble=True, rng=rng).random(_CANDIDATES)
        known = [network for network in self._networks if len(network.points)][-_REMEMBERED:]
        if known:
            volumes = [float(np.prod(self._reference - n.points, axis=1).max()) for n in known]
            best = np.argsort(volumes)[::-1][: max(len(known) // 4, 1)]
            parents = np.array([self._unit(known[index].place) for index in best])
            near = parents[rng.integers(len(parents), size=_NEIGHBOURS)]
            change = rng.random(near.shape) < 1.5 / dimensions
            near = near + change * _STEP * rng.standard_normal(near.shape)
            units = np.concatenate([units, np.clip(near, 0.0, 1.0)])
        return [
            {p.path: p.from_unit(unit) for p, unit in zip(self._parameters, row, strict=True)}
            for row in units.tolist()
        ]

    def _place(self, assignment: Mapping[str, Any]) -> Array:
        parts: list[float] = []
        for parameter in self._parameters:
            value = assignment[parameter.path]
            if _ordered(parameter):
                parts.append(parameter.to_unit(value) if value in parameter else 0.5)
            else:
                options = parameter.values() or ()
                parts += [float(value == option) for option in options]
        return np.array(parts)

    def _unit(self, place: Array) -> list[float]:
        """Units of :meth:`Parameter.from_unit` at a place."""
        units, position = [], 0
        for parameter in self._parameters:
            if _ordered(parameter):
                units.append(float(place[position]))
                position += 1
            else:
                count = parameter.cardinality or 1
                units.append((float(np.argmax(place[position : position + count])) + 0.5) / count)
                position += count
        return units


def _reach(points: Array, corner: Array, directions: Array, scale: Array) -> Array:
    """How far a front reaches from a corner along each direction; 0 for an empty one."""
    if not len(points):
        return np.zeros(len(directions))
    inside = np.maximum((corner - points) / scale, 0.0)
    return np.asarray((inside[:, None, :] / directions[None]).min(axis=2).max(axis=0))


def _ordered(parameter: Parameter) -> bool:
    """Whether values that are near each other mean alike: ranges, and choices of growing numbers."""
    if not isinstance(parameter, Choice):
        return True
    options = parameter.options
    numbers = all(isinstance(o, int | float) and not isinstance(o, bool) for o in options)
    return numbers and list(options) == sorted(options)


def _least_violation(known: Sequence[_Network], waiting: Sequence[Array], places: Array) -> Array:
    """Expected improvement of the least violation of the constraints, while nothing is feasible."""
    inputs = np.array([network.place for network in known])
    violations = np.log1p(np.array([[network.violation] for network in known]))
    if waiting:
        expected = GaussianProcess(inputs, violations).predict(np.array(waiting))[0]
        inputs, violations = np.concatenate([inputs, waiting]), np.concatenate([violations, expected])
    mean, deviation = GaussianProcess(inputs, violations).predict(places)
    sure = (violations.min() - mean[:, 0]) / np.maximum(deviation[:, 0], 1e-12)
    return np.asarray(deviation[:, 0] * (sure * norm.cdf(sure) + norm.pdf(sure)))
