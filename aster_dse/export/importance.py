"""Which knobs set the best configurations of a study apart.

Source: Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
Arbitrary Subspaces", IJCAI 2023, as Optuna computes it, conditional knobs included.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, create_trial

from aster_dse.errors import AsterError
from aster_dse.policy import skipped_blocks
from aster_dse.search.coordinates import coordinate, distribution
from aster_dse.search.history import knob_value
from aster_dse.space import SearchSpace
from aster_dse.store.reading import StudyQueries
from aster_dse.store.rows import StudyRow

__all__ = ["importance"]

_NETWORKS = 10
"""Below which a knob of the training tells the networks apart, whatever it does."""
_CONFIGURATIONS = 50
"""Below which their best tenth says nothing."""
_SKIP = "policy.skip_threshold"


def importance(
    reader: StudyQueries, study: StudyRow, goals: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """How much each searched knob sets the best tenth of the configurations apart from all of them.

    Every feasible configuration that is stored counts. These are the fronts of the networks, not even draws
    from the space. A skip threshold counts as the number of blocks that it skips: as a number it would only
    tell the networks apart, each of which has its own.

    Args:
        goals: metric to ``max`` or ``min``.

    Returns:
        By metric: knob to its share, from the greatest to the least; the shares of a metric sum to 1, or are
        all 0 where the best tenth is spread like the rest.

    Raises:
        AsterError: there are fewer than 10 networks, or 50 feasible configurations.
    """
    space = SearchSpace.from_mapping(study.space, f"study {study.name}")
    knobs = [parameter.path for parameter in space.parameters]
    table = reader.evaluations(study.id, columns=[*goals, "training_key", *knobs], feasible=True)
    networks = table["training_key"].nunique()
    if networks < _NETWORKS or len(table) < _CONFIGURATIONS:
        raise AsterError(
            f"study {study.name!r} has {len(table)} feasible configurations on {networks} networks, "
            f"too few to tell what is important (at least {_CONFIGURATIONS} on {_NETWORKS})"
        )
    activity = {row.key: np.array(row.detail.get("block_activity", ())) for row in reader.trainings(study.id)}
    spreads: dict[str, BaseDistribution] = {p.path: distribution(p) for p in space.parameters}
    if _SKIP in spreads:
        spreads[_SKIP] = IntDistribution(0, max(len(blocks) for blocks in activity.values()))
    columns = {name: table[name].tolist() for name in (*goals, "training_key", *knobs)}
    trials = []
    for row in range(len(table)):
        assignment = {p.path: knob_value(p, columns[p.path][row]) for p in space.parameters}
        values: dict[str, Any] = {
            p.path: coordinate(p, assignment[p.path])
            for p in space.parameters
            if space.active(p, assignment) and assignment[p.path] in p
        }
        if _SKIP in values:
            values[_SKIP] = len(skipped_blocks(activity[columns["training_key"][row]], assignment[_SKIP]))
        trials.append(
            create_trial(
                values=[columns[name][row] for name in goals],
                params=values,
                distributions={path: spreads[path] for path in values},
            )
        )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    judged = optuna.create_study(directions=["minimize"] * len(goals))
    judged.add_trials(trials)
    return {name: _shares(judged, place, goal) for place, (name, goal) in enumerate(goals.items())}


def _shares(judged: optuna.Study, place: int, goal: str) -> dict[str, float]:
    sign = -1.0 if goal == "max" else 1.0

    def target(trial: FrozenTrial) -> float:
        return sign * float(trial.values[place])

    with warnings.catch_warnings():
        # It warns that less is taken to be better, and where all are equally good.
        warnings.simplefilter("ignore")
        found = PedAnovaImportanceEvaluator().evaluate(judged, target=target)
    total = math.fsum(found.values())
    return {name: value / total if total > 0.0 else 0.0 for name, value in found.items()}
