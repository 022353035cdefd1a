"""Accuracy, steps and energy over skipped attention x exit threshold, every cell exact.

Blocks are skipped in the order of their activity: a threshold chooses one of at most ``depth + 1`` skip sets.
One pass for all of them answers every exit threshold: a cell is what a separate evaluation would find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.evaluation.array_subject import OnArrays
from aster_dse.evaluation.subject import Costs, Subject
from aster_dse.evaluation.verdict import Verdict, exits_at, joined, verdict
from aster_dse.hardware import HardwareCost
from aster_dse.policy import ExitMetric, Exits, skipped_blocks
from aster_dse.space import PolicyConfig

__all__ = ["Row", "Sweep", "rows_by_count", "rows_by_threshold", "sweep", "sweep_on_arrays"]


@dataclass(frozen=True)
class Row:
    """A skip set."""

    asked: int | float
    """As it was asked for: a number of blocks, or a skip threshold."""
    threshold: float | None
    """Skip threshold that chooses it; None skips nothing."""
    skipped: tuple[int, ...]
    """Blocks, the least active first."""


@dataclass(frozen=True)
class Sweep:
    """A verdict for every pair of a row and an exit threshold."""

    rows: tuple[Row, ...]
    exits: tuple[float, ...]
    metric: ExitMetric
    cells: tuple[tuple[Verdict, ...], ...]
    costs: tuple[tuple[HardwareCost, ...], ...] | None = None
    """Of an inference; with real arrays those of the mean counts over the chips."""
    ideal: NDArray[np.float64] | None = None
    """``[rows, exits]`` accuracy of the plain network, where ``cells`` are those of real arrays."""

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """``[rows, exits]``, not a number where labels are not known."""
        return np.array([[np.nan if c.accuracy is None else c.accuracy for c in row] for row in self.cells])

    @property
    def mean_timesteps(self) -> NDArray[np.float64]:
        """``[rows, exits]``"""
        return np.array([[cell.mean_timesteps for cell in row] for row in self.cells])

    @property
    def energy_uj(self) -> NDArray[np.float64] | None:
        """``[rows, exits]`` per inference; None without an accelerator."""
        if self.costs is None:
            return None
        return np.array([[cost.energy_uj for cost in row] for row in self.costs])

    @property
    def samples(self) -> int:
        return self.cells[0][0].samples


def rows_by_count(block_activity: NDArray[np.float64], counts: Sequence[int] | None = None) -> list[Row]:
    """Rows by their number of skipped blocks.

    Args:
        counts: None takes every number that a threshold can reach. Blocks that are equally active, such as
            those that never fire, are skipped together.

    Raises:
        InputError: a number that no threshold reaches.
    """
    reachable = {0: Row(0, None, ())}
    for threshold in sorted(set(block_activity.tolist())):
        skipped = skipped_blocks(block_activity, threshold)
        reachable[len(skipped)] = Row(len(skipped), threshold, skipped)
    for count in counts or ():
        if count not in reachable:
            raise InputError(
                "--skip",
                f"no threshold skips {count} of the {len(block_activity)} blocks",
                f"one of {', '.join(map(str, reachable))}",
            )
    return [reachable[count] for count in (reachable if counts is None else counts)]


def rows_by_threshold(block_activity: NDArray[np.float64], thresholds: Sequence[float]) -> list[Row]:
    """Rows by skip threshold."""
    return [
        Row(float(threshold), threshold, skipped_blocks(block_activity, threshold))
        for threshold in thresholds
    ]


def sweep(
    subject: Subject,
    rows: Sequence[Row],
    exits: Sequence[float],
    *,
    metric: ExitMetric = "confidence",
    costs: Costs | None = None,
) -> Sweep:
    """Judge every pair; the network runs once, skip sets part where they differ."""
    timesteps = subject.trained.geometry.timesteps
    sets = list(dict.fromkeys(frozenset(row.skipped) for row in rows))
    left: list[list[list[Exits]]] = [[[] for _ in exits] for _ in sets]
    for answers in subject.batches(sets):
        for parts, logits in zip(left, answers, strict=True):
            for part, found in zip(parts, exits_at(logits, exits, metric=metric), strict=True):
                part.append(found)
    verdicts = {
        skipped: tuple(
            verdict(joined(part), subject.labels, timesteps=timesteps, class_names=subject.class_names)
            for part in parts
        )
        for skipped, parts in zip(sets, left, strict=True)
    }
    priced = None
    if costs is not None:
        priced = tuple(
            tuple(
                costs.of(
                    PolicyConfig(skip_threshold=row.threshold, exit_threshold=threshold, exit_metric=metric)
                )
                for threshold in exits
            )
            for row in rows
        )
    cells = tuple(verdicts[frozenset(row.skipped)] for row in rows)
    return Sweep(tuple(rows), tuple(exits), metric, cells, priced)


def sweep_on_arrays(
    measured: OnArrays,
    rows: Sequence[Row],
    exits: Sequence[float],
    *,
    metric: ExitMetric = "confidence",
    class_names: Sequence[str] = (),
) -> Sweep:
    """Judge every pair on the arrays of a design; cells are means over its chips."""
    policies = [
        PolicyConfig(skip_threshold=row.threshold, exit_threshold=threshold, exit_metric=metric)
        for row in rows
        for threshold in exits
    ]
    found, shape = measured.evaluations(policies), (len(rows), len(exits))
    costs = measured.costs(policies)
    return Sweep(
        tuple(rows),
        tuple(exits),
        metric,
        tuple(
            tuple(measured.verdicts(row.threshold, exits, metric=metric, class_names=class_names))
            for row in rows
        ),
        tuple(tuple(costs[start : start + len(exits)]) for start in range(0, len(costs), len(exits))),
        np.array([result.metrics["accuracy_ideal"] for result in found]).reshape(shape),
    )
