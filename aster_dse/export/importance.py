"""Which knobs set the best configurations of a study apart.

Source: Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
Arbitrary Subspaces", IJCAI 2023, as Optuna computes it, conditional knobs included.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, create_trial

from aster_dse.errors import AsterError
from aster_dse.export.knob_columns import SKIPS, KnobTable, read_knobs
from aster_dse.search.coordinates import coordinate, distribution
from aster_dse.space import LayerRanges
from aster_dse.store.reading import StudyQueries
from aster_dse.store.rows import StudyRow

__all__ = ["Importance", "importance", "kept_importance", "question_of"]

_NETWORKS = 10
"""Below which a knob of the training tells the networks apart, whatever it does."""
_CONFIGURATIONS = 50
"""Below which their best tenth says nothing."""
_METHOD = "ped-anova 2"
"""Changes whenever an answer could."""


@dataclass(frozen=True)
class Importance:
    """Which knobs set the best tenth of the feasible configurations of a study apart from all of them."""

    shares: dict[str, dict[str, float]]
    """By metric: knob to its share, from the greatest to the least; the shares of a metric sum to 1, or are
    all 0 where the best tenth is spread like the rest."""
    configurations: int
    networks: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-able. Knobs in order: a store sorts the keys of a mapping."""
        return {
            "shares": {metric: list(shares.items()) for metric, shares in self.shares.items()},
            "configurations": self.configurations,
            "networks": self.networks,
        }


def question_of(study: StudyRow, goals: Mapping[str, str]) -> str:
    """What an answer is kept under: other goals or a space that grew are another question."""
    return f"importance, {_METHOD}: {' '.join(goals)}; {study.space_hash}"


def kept_importance(reader: StudyQueries, study: StudyRow, goals: Mapping[str, str]) -> Importance | None:
    """What was found before of the same configurations, if it was kept."""
    kept = reader.analysis(study.id, question_of(study, goals))
    if kept is None:
        return None
    shares = {metric: dict(kept["shares"][metric]) for metric in goals}
    return Importance(shares, kept["configurations"], kept["networks"])


def importance(reader: StudyQueries, study: StudyRow, goals: Mapping[str, str]) -> Importance:
    """How much each searched knob sets the best tenth of the configurations apart from all of them.

    Every feasible configuration that is stored counts. These are the fronts of the networks, not even draws
    from the space.

    Args:
        goals: metric to ``max`` or ``min``.

    Raises:
        AsterError: there are fewer than 10 networks, or 50 feasible configurations.
    """
    table = read_knobs(reader, study, list(goals))
    networks = len(set(table.networks))
    if networks < _NETWORKS or len(table) < _CONFIGURATIONS:
        raise AsterError(
            f"study {study.name!r} has {len(table)} feasible configurations on {networks} networks, "
            f"too few to tell what is important (at least {_CONFIGURATIONS} on {_NETWORKS})"
        )
    judged = _judged(table, list(goals))
    shares = {name: _shares(judged, place, goal) for place, (name, goal) in enumerate(goals.items())}
    return Importance(shares, len(table), networks)


def _judged(table: KnobTable, metrics: list[str]) -> optuna.Study:
    """The configurations as trials of Optuna."""
    spreads = {name: _spread(table, name) for name in table.columns}
    trials = []
    for row in range(len(table)):
        values = {
            name: _coordinate(table, name, column[row])
            for name, column in table.columns.items()
            if column[row] is not None
        }
        trials.append(
            create_trial(
                values=[table.metrics[name][row] for name in metrics],
                params=values,
                distributions={name: spreads[name] for name in values},
            )
        )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    judged = optuna.create_study(directions=["minimize"] * len(metrics))
    judged.add_trials(trials)
    return judged


def _spread(table: KnobTable, name: str) -> BaseDistribution:
    if name == SKIPS:
        return IntDistribution(0, table.blocks)
    parameter = table.parameters[name]
    return FloatDistribution(0.0, 1.0) if isinstance(parameter, LayerRanges) else distribution(parameter)


def _coordinate(table: KnobTable, name: str, value: Any) -> int | float:
    parameter = table.parameters[name]
    if name == SKIPS or isinstance(parameter, LayerRanges):
        return float(value) if name != SKIPS else int(value)
    return coordinate(parameter, value)


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
