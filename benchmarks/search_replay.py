"""Searches replayed on the table that `search_table.py` makes; what the benchmarks of searches share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from search_table_reader import Network, read_table, space_of_table

from aster_dse.evaluation import Evaluation
from aster_dse.pareto import Front, hypervolume, non_dominated_mask, reference_point
from aster_dse.search.reference import reference_point_of
from aster_dse.search.scheduler import Proposal, Scheduler

__all__ = ["Replay", "Share", "Volumes", "nearest", "networks", "reference", "replay"]

Volumes = list[float]
"""Share of the best hypervolume after each training."""


@cache
def networks() -> list[Network]:
    return read_table()


@cache
def reference() -> dict[str, float]:
    return reference_point_of(space_of_table(), seed=0)


@cache
def front() -> NDArray[np.float64]:
    """The best reachable front: what no point of any network dominates, less is better."""
    points = np.concatenate([n.pairs.objectives[n.pairs.violation <= 0.0] for n in networks()])
    return points[non_dominated_mask(points)]


@cache
def corner() -> NDArray[np.float64]:
    """The worst of each objective on the best reachable front, and a tenth of its spread beyond."""
    return reference_point(front())


@cache
def best() -> float:
    return hypervolume(front(), corner())


class Share:
    """The share of the best hypervolume that the points seen so far reach."""

    def __init__(self) -> None:
        self.volumes: Volumes = []
        self._front = Front(corner())
        self._goals = space_of_table().objectives

    def add(self, evaluations: Sequence[Evaluation]) -> None:
        """Another training, with what it showed."""
        for one in evaluations:
            if one.feasible:
                self._front.insert([_less(one.metrics[name], goal) for name, goal in self._goals.items()])
        self.volumes.append(self._front.hypervolume / best())


def _less(value: float, goal: str) -> float:
    return -value if goal == "max" else value


@dataclass(frozen=True)
class Replay:
    shares: list[tuple[int, float]]
    """Epochs trained, and the share of the best hypervolume of the table by then."""
    epochs: int
    ends: int
    """Networks trained to the end."""


def replay(seed: int, count: int, factor: float | None = None, epochs: float = math.inf) -> Replay:
    """One search with the sampler that searches have by default.

    Args:
        count: networks to begin at most.
        factor: of `search.early_stopping`; without one every network is trained to its end.
        epochs: after which no network is begun.
    """
    setting = [] if factor is None else [f"search.early_stopping={factor}"]
    space = space_of_table().override(f"search.seed={seed}", *setting)
    total = int(space.fixed["training.epochs"])
    scheduler = TableScheduler(space, seed=seed, sampler="auto", reference=reference())
    share, trained, ends, begun = Share(), 0, 0, 0
    shares: list[tuple[int, float]] = []
    while True:
        number = scheduler.promoted()
        if number is not None:
            scheduler.go_on(number)
        elif begun < count and trained < epochs:
            number, begun = begun, begun + 1
            scheduler.ask(number)
        else:
            return Replay(shares, trained, ends)
        network = scheduler.network(number)
        last, until = scheduler.last_look(number), scheduler.pause_at(number)
        if until is None:
            scheduler.tell(number, network.evaluations, ())
            share.add(network.evaluations)
            trained, ends = trained + total - last, ends + 1
            shares.append((trained, share.volumes[-1]))
        else:
            seen = network.look(until)
            scheduler.pause(number, until, [seen[index] for index in scheduler.keep(seen)])
            trained += until - last


class TableScheduler(Scheduler):
    """The scheduler of a search whose every proposal is answered by the nearest network of the table that is
    left."""

    def ask(self, number: int) -> Proposal | None:
        proposal = super().ask(number)
        left = self._left()
        if proposal is None or not left:
            return None
        free = [network for network in networks() if network.assignment in left]
        if proposal.assignment not in (network.assignment for network in networks()):
            proposal = changed(proposal, assignment=nearest(proposal.assignment, free).assignment)
            self._networks.add(self._network(proposal.assignment))
        self._assignments[number] = proposal.assignment
        self._running[number] = proposal
        return proposal

    def network(self, number: int) -> Network:
        """The network of a trial."""
        wanted = self._assignments[number]
        return next(network for network in networks() if network.assignment == wanted)

    def _listed(self) -> list[dict[str, Any]]:
        return [network.assignment for network in networks()]


def nearest(wanted: dict[str, Any], among: Sequence[Network]) -> Network:
    """By distance in the unit cube; what has no order is equal or a whole unit away."""
    outer = space_of_table().outer

    def distance(network: Network) -> float:
        total = 0.0
        for p in outer:
            one, other = wanted[p.path], network.outer[p.path]
            if isinstance(one, str):
                total += float(one != other)
            else:
                total += (p.to_unit(one) - p.to_unit(other)) ** 2
        return total

    return min(among, key=distance)
