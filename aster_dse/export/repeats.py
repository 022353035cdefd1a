"""Configurations evaluated again on networks that differ in the seed of their training alone.

What a search finds best is also what was lucky, in the order of samples and the first weights. Networks
trained with other seeds tell what to expect; the searched one, chosen for its figures, is not counted in.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aster_dse.export.points import Point, inner_assignment
from aster_dse.search.kept_files import keep_files
from aster_dse.search.outcomes import problem_of_figures, refused
from aster_dse.search.protocol import Executor, NetworkFailure, NetworkJob, NetworkResult
from aster_dse.space import METRICS, Candidate, assign
from aster_dse.store.rows import RepeatRow

__all__ = ["Spread", "repeat", "spread_of", "waiting_networks"]

_SEEDS = 2**32
_SEED = "training.seed"


@dataclass(frozen=True)
class Spread:
    """A figure over some seeds."""

    seeds: int
    mean: float
    deviation: float | None
    """Standard deviation, estimated with seeds - 1; None for a single seed."""
    least: float
    greatest: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "seeds": self.seeds,
            "mean": self.mean,
            "standard_deviation": self.deviation,
            "least": self.least,
            "greatest": self.greatest,
        }


def spread_of(rows: Sequence[RepeatRow]) -> dict[str, Spread]:
    """Each metric over the repeats of one configuration; nothing where there are none."""
    if not rows:
        return {}
    count = len(rows)
    found = {}
    for name in METRICS:
        values = [row.metrics[name] for row in rows]
        mean = math.fsum(values) / count
        squares = math.fsum((value - mean) ** 2 for value in values)
        deviation = math.sqrt(squares / (count - 1)) if count > 1 else None
        found[name] = Spread(count, mean, deviation, min(values), max(values))
    return found


def waiting_networks(
    points: Sequence[Point], seeds: int, known: Collection[RepeatRow]
) -> list[tuple[Candidate, tuple[Point, ...]]]:
    """The networks to train so that each point is known with so many other seeds, and the points of each.

    The seeds are those that follow the seed of the point's own network.
    """
    have = {(row.trial, row.index, row.seed) for row in known}
    networks: dict[str, tuple[Candidate, list[Point]]] = {}
    for point in points:
        for step in range(1, seeds + 1):
            seed = (point.candidate.training.seed + step) % _SEEDS
            if (point.trial, point.index, seed) not in have:
                candidate = assign(point.candidate, {_SEED: seed})
                _, members = networks.setdefault(candidate.training_key(), (candidate, []))
                members.append(point)
    return [(candidate, tuple(members)) for candidate, members in networks.values()]


def repeat(
    study: str,
    networks: Sequence[tuple[Candidate, tuple[Point, ...]]],
    executor: Executor,
    *,
    artifacts: Path,
    constraints: Sequence[str] = (),
    texts: Mapping[str, str] | None = None,
    on_report: Any = None,
    stop: threading.Event | None = None,
) -> Iterator[tuple[list[RepeatRow], NetworkFailure | None]]:
    """Train networks, or find them trained, and evaluate their points; they come as they are done.

    Args:
        study: name for the jobs.
        networks: from :func:`waiting_networks`; a job's trial is the place in here.
        executor: runs the jobs.
        artifacts: folder of trained networks; those trained here stay in it.
        constraints: of the study, which decide about the chip yield.
        texts: of libraries and presets in user files, by name.
        on_report: is given the reports of running jobs.
        stop: once set, no further network is begun; those that run are waited for.

    Yields:
        What came of the points of a network, or the failure: also where a figure is missing or not finite.
    """
    waiting = deque(range(len(networks)))
    running = 0
    stop = stop or threading.Event()
    while running or (waiting and not stop.is_set()):
        while waiting and running < executor.slots and not stop.is_set():
            number = waiting.popleft()
            candidate, points = networks[number]
            executor.submit(
                NetworkJob(
                    study=study,
                    trial=number,
                    candidate=candidate,
                    inner=tuple(inner_assignment(point.candidate) for point in points),
                    constraints=tuple(constraints),
                    artifacts=str(artifacts),
                    user_files=dict(texts or {}),
                )
            )
            running += 1
        outcome = executor.wait(on_report)
        running -= 1
        candidate, points = networks[outcome.trial]
        if isinstance(outcome, NetworkResult):
            keep_files(artifacts, outcome)
            problem = problem_of_figures(outcome.evaluations)
            outcome = refused(outcome, problem) if problem else outcome
        if not isinstance(outcome, NetworkResult):
            # Nothing here asks a training to pause.
            yield [], outcome if isinstance(outcome, NetworkFailure) else refused(outcome, "it paused")
            continue
        yield (
            [
                RepeatRow(
                    point.trial,
                    point.index,
                    candidate.training.seed,
                    outcome.training_key,
                    dict(evaluation.metrics),
                )
                for point, evaluation in zip(points, outcome.evaluations, strict=True)
            ],
            None,
        )
