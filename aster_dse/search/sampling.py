"""What proposes trials: an Optuna study in memory that holds nothing but what a store can give back."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, NSGAIIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy.stats import qmc  # type: ignore[import-untyped]

from aster_dse.errors import InputError
from aster_dse.space import Choice, Constraint, Parameter, SearchSpace

__all__ = ["SAMPLERS", "TrialSampler", "seed_of"]

SAMPLERS = ("auto", "tpe", "nsga3", "gp", "random")

_STARTUP_TRIALS = 6
"""Trials of which the sampler must know the outcome before it proposes; until then points fill the space."""
_TPE_LIMIT = 1_000
"""Told points beyond which ``auto`` leaves TPE, whose time to propose grows with their number."""
_POPULATION = 20
_RETIRED_LIMIT = 1_000
_TINY = 1e-12


def seed_of(*words: int) -> int:
    """A seed for one purpose, drawn from the words that name it."""
    return int(np.random.SeedSequence(words).generate_state(1)[0])


class TrialSampler:
    """Proposes values of all searched knobs from the points it was told.

    A proposal depends on the seed, the trial's number, the told points in their order and the trials that are
    running, and on nothing else: every proposal has a sampler of its own, and the study behind it holds the
    told points first, then the running trials by number. So a search that is resumed proposes what it would
    have proposed without the interruption.
    """

    def __init__(self, space: SearchSpace, *, seed: int, sampler: str) -> None:
        if sampler not in SAMPLERS:
            raise InputError(
                "search.sampler", f"unknown sampler {sampler!r}", f"one of {', '.join(SAMPLERS)}"
            )
        self._space = space
        self._seed = seed
        self._sampler = sampler
        self._told: list[FrozenTrial] = []
        self._told_trials: set[int] = set()
        self._distributions = {parameter.path: _distribution(parameter) for parameter in space.parameters}
        # The library reports what a user of a study object would want to read; here there is none.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._renew()

    @property
    def told(self) -> int:
        """Points learnt so far."""
        return len(self._told)

    @property
    def patience(self) -> int:
        """Points of one trial worth telling beside the proposed one."""
        # A Gaussian process takes time with the cube of the points it knows: seconds from a few hundred on.
        return 2 if self._sampler == "gp" else 8

    def learn(self, trial: int, assignment: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Add one evaluated point."""
        point = create_trial(
            values=[metrics[name] for name in self._space.objectives],
            constraints={str(bound): _excess(bound, metrics) for bound in self._space.constraints} or None,
            **self._coordinates(assignment),
        )
        self._told.append(point)
        self._told_trials.add(trial)
        self._study.add_trial(point)

    def propose(self, number: int, running: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Values of the searched knobs for a trial, those with a false condition at their defaults."""
        if self._sampler != "random" and len(self._told_trials) < _STARTUP_TRIALS:
            return self._startup_point(number)
        if self._retired > _RETIRED_LIMIT + 2 * len(self._told):
            self._renew()
        for assignment in running:
            self._study.add_trial(create_trial(state=TrialState.RUNNING, **self._coordinates(assignment)))
        self._study.sampler = self._fresh_sampler(number)
        values = self._suggest(self._study.ask())
        self._retire_running()
        return values

    def _startup_point(self, number: int) -> dict[str, Any]:
        """The point of this number in one scrambled Sobol sequence over all knobs."""
        sequence = qmc.Sobol(len(self._space.parameters), scramble=True, rng=seed_of(self._seed, 1))
        units = (
            sequence.fast_forward(number).random(1)[0].tolist() if number else sequence.random(1)[0].tolist()
        )
        assignment: dict[str, Any] = {}
        for parameter, unit in zip(self._space.parameters, units, strict=True):
            if self._space.active(parameter, assignment):
                assignment[parameter.path] = parameter.from_unit(unit)
        return self._space.complete(assignment)

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        assignment: dict[str, Any] = {}
        for parameter in self._space.parameters:
            if not self._space.active(parameter, assignment):
                continue
            path, distribution = parameter.path, self._distributions[parameter.path]
            coordinate: float | int
            if isinstance(distribution, CategoricalDistribution):
                coordinate = trial.suggest_categorical(path, distribution.choices)
            elif isinstance(distribution, IntDistribution):
                coordinate = trial.suggest_int(path, distribution.low, distribution.high)
            else:
                coordinate = trial.suggest_float(path, distribution.low, distribution.high)
            assignment[path] = _value(parameter, coordinate)
        return self._space.complete(assignment)

    def _coordinates(self, assignment: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        active = [
            parameter for parameter in self._space.parameters if self._space.active(parameter, assignment)
        ]
        return {
            "params": {p.path: _coordinate(p, assignment[p.path]) for p in active},
            "distributions": {p.path: self._distributions[p.path] for p in active},
        }

    # --- the study behind it

    def _renew(self) -> None:
        directions = {"max": "maximize", "min": "minimize"}
        self._study = optuna.create_study(
            directions=[directions[direction] for direction in self._space.objectives.values()]
        )
        self._retired = 0
        self._generation = 0
        self._study.add_trials(self._told)

    def _retire_running(self) -> None:
        """Trials cannot be taken out of a study; failed ones are seen by no sampler."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._retired += 1

    def _fresh_sampler(self, number: int) -> BaseSampler:
        seed = seed_of(self._seed, 2, number)
        kind = self._sampler
        if kind == "auto":
            kind = "tpe" if len(self._told) < _TPE_LIMIT else "nsga3"
        if kind == "tpe":
            return TPESampler(seed=seed, n_startup_trials=_STARTUP_TRIALS, constant_liar=True)
        if kind == "gp":
            return GPSampler(seed=seed, n_startup_trials=_STARTUP_TRIALS, warn_independent_sampling=False)
        if kind == "random":
            return RandomSampler(seed=seed)
        # Each generation's parents are chosen with a seed of their own, whenever that happens; from then on
        # the study remembers them.
        complete = len(self._told) // _POPULATION
        for generation in range(self._generation + 1, complete + 1):
            chooser = _generations(seed_of(self._seed, 3, generation))
            chooser.get_parent_population(self._study, generation)
        self._generation = complete
        return _generations(seed)


def _generations(seed: int) -> NSGAIIISampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _ToldGenerations(seed=seed, population_size=_POPULATION)


class _ToldGenerations(NSGAIIISampler):  # type: ignore[misc]
    """NSGA-III over points that it did not propose itself: every 20 told points are a generation."""

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:  # noqa: ARG002
        return len(_complete(study)) // _POPULATION

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        return _complete(study)[generation * _POPULATION : (generation + 1) * _POPULATION]


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    trials: list[FrozenTrial] = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return trials


# --- knobs as the library sees them: an index where values are countable, else the internal coordinate


def _distribution(parameter: Parameter) -> BaseDistribution:
    low, high = parameter.internal_bounds
    if isinstance(parameter, Choice):
        return CategoricalDistribution(tuple(range(len(parameter.options))))
    if parameter.internal_step is not None:
        return IntDistribution(0, round((high - low) / parameter.internal_step))
    return FloatDistribution(float(low), float(high))


def _coordinate(parameter: Parameter, value: Any) -> int | float:
    low, high = parameter.internal_bounds
    if parameter.internal_step is not None:
        return round((parameter.internal(value) - low) / parameter.internal_step)
    return min(max(float(parameter.internal(value)), float(low)), float(high))


def _value(parameter: Parameter, coordinate: int | float) -> Any:
    if parameter.internal_step is not None:
        return parameter.external(parameter.internal_bounds[0] + coordinate * parameter.internal_step)
    return parameter.external(coordinate)


def _excess(bound: Constraint, metrics: Mapping[str, float]) -> float:
    """Relative excess over a bound, negative by how much there is to spare."""
    excess = metrics[bound.metric] - bound.bound
    return (excess if bound.operator == "<=" else -excess) / max(abs(bound.bound), _TINY)
