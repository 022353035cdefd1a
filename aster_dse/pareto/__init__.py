"""Fronts and hypervolumes of metric arrays ``[n, m]``; every objective is minimised."""

from aster_dse.pareto.dominance import non_dominated_mask, non_dominated_rank
from aster_dse.pareto.front import Front
from aster_dse.pareto.hypervolume import contributions, hypervolume, reference_point
from aster_dse.pareto.selection import feasible_front, greedy_gain_subset, knee_point

__all__ = [
    "Front",
    "contributions",
    "feasible_front",
    "greedy_gain_subset",
    "hypervolume",
    "knee_point",
    "non_dominated_mask",
    "non_dominated_rank",
    "reference_point",
]
