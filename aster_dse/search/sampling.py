"""What proposes networks: models of what is known, that hold nothing but what a store can give back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy.stats import qmc  # type: ignore[import-untyped]

from aster_dse.errors import InputError
from aster_dse.evaluation import Evaluation
from aster_dse.search.automatic import Choice, choose, training_macs
from aster_dse.search.coordinates import coordinate, distribution, value
from aster_dse.search.network_model import NetworkModel
from aster_dse.search.seeds import seed_of
from aster_dse.space import Constraint, SearchSpace

__all__ = ["SAMPLERS", "NetworkSampler"]

SAMPLERS = ("auto", "gp", "tpe", "nsga3", "sobol", "random")

_STARTUP = 6
"""Networks whose outcome must be known before a model proposes; until then they fill the space."""
_LISTED = 4_096
"""Networks of a space that are listed as candidates, where there are no more."""
_POPULATION = 20
_RETIRED_LIMIT = 1_000
_TINY = 1e-12


class NetworkSampler:
    """Proposes values of the knobs that need a training, from the networks it was told.

    A proposal depends on the seed, the trial's number, the told networks in their order and the trials that
    are running, and on nothing else: every proposal has a sampler of its own, and the study behind it holds
    the told points first, then the running trials by number. So a search that is resumed proposes what it
    would have proposed without the interruption.

    Args:
        space: what is searched.
        seed: of the search.
        sampler: one of :data:`SAMPLERS`.
        reference: point of the hypervolume, by objective.
    """

    def __init__(
        self, space: SearchSpace, *, seed: int, sampler: str, reference: Mapping[str, float]
    ) -> None:
        if sampler not in SAMPLERS:
            raise InputError(
                "search.sampler", f"unknown sampler {sampler!r}", f"one of {', '.join(SAMPLERS)}"
            )
        self._space = space
        self._seed = seed
        self._sampler = sampler
        self._macs = training_macs(space) if sampler == "auto" else None
        self._model = NetworkModel(space.outer, space.objectives, reference)
        self._told: list[FrozenTrial] = []
        self._distributions = {parameter.path: distribution(parameter) for parameter in space.outer}
        # The library reports what a user of a study object would want to read; here there is none.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._renew()
        self._generation = 0
        self._parents: list[FrozenTrial] = []

    @property
    def choice(self) -> Choice:
        """What proposes the next network, and why; ``auto`` is resolved."""
        if self._sampler != "auto":
            return Choice(self._sampler, "as asked for")
        return choose(
            objectives=len(self._space.objectives),
            networks=self._model.ends,
            points=len(self._told),
            macs=self._macs,
        )

    @property
    def kind(self) -> str:
        """What proposes the next network; ``auto`` is resolved."""
        return self.choice.sampler

    def learn(
        self, assignment: Mapping[str, Any], evaluations: Sequence[Evaluation], told: Sequence[int]
    ) -> None:
        """Add a trained network.

        Args:
            assignment: every searched knob by path.
            evaluations: its front.
            told: which of them a sampler that takes single points learns from.
        """
        self._model.learn(assignment, evaluations)
        coordinates = self._coordinates(assignment)
        points = [
            create_trial(
                values=[evaluations[index].metrics[name] for name in self._space.objectives],
                constraints={
                    str(bound): _excess(bound, evaluations[index].metrics)
                    for bound in self._space.constraints
                }
                or None,
                **coordinates,
            )
            for index in told
        ]
        self._told += points
        if self._sampler in ("auto", "tpe"):
            self._study.add_trials(points)

    def learn_early(
        self, assignment: Mapping[str, Any], evaluations: Sequence[Evaluation], rung: int
    ) -> None:
        """Add what was seen of a network when its training paused at a rung; only the model of networks can
        make use of it."""
        self._model.learn_early(assignment, evaluations, rung)

    def propose(
        self,
        number: int,
        running: Sequence[Mapping[str, Any]],
        left: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """Values of the trained knobs for a trial, the best first; none where the sampler has no idea.

        Args:
            running: complete assignments of the trials that run.
            left: complete assignments of all networks that were not proposed yet, where they can be listed.
        """
        kind = self.kind
        if not self._space.outer:
            return [{}]
        known = len(self._model) >= _STARTUP and self._model.ends
        if kind == "sobol" or (kind != "random" and not known):
            return [self._filling_point(number)]
        if kind == "gp":
            rng = np.random.default_rng(seed_of(self._seed, 6, number))
            return self._model.propose(rng, running, left)
        if kind == "nsga3":
            return [self._child(number)]
        if self._retired > _RETIRED_LIMIT + 2 * len(self._told):
            self._renew()
        for assignment in running:
            self._study.add_trial(create_trial(state=TrialState.RUNNING, **self._coordinates(assignment)))
        self._study.sampler = self._fresh_sampler(number, kind)
        values = self._suggest(self._study.ask())
        self._retire_running()
        return [values]

    def _child(self, number: int) -> dict[str, Any]:
        """Of the parents of the current generation: every 20 told points are one."""
        complete = len(self._told) // _POPULATION
        for generation in range(self._generation + 1, complete + 1):
            # Chosen with a seed of the generation's own, whenever that happens.
            population = self._told[(generation - 1) * _POPULATION : generation * _POPULATION]
            chooser = _generation(seed_of(self._seed, 3, generation), population, self._parents)
            self._parents = chooser.select_parent(self._study, generation)
        self._generation = complete
        # A study of the parents alone: what else it knew would only be gone through.
        study = optuna.create_study(
            directions=self._study.directions,
            sampler=_generation(seed_of(self._seed, 2, number), [], self._parents),
        )
        study.add_trials(self._parents)
        return self._suggest(study.ask())

    def _filling_point(self, number: int) -> dict[str, Any]:
        """The point of this number in one scrambled Sobol sequence over the trained knobs."""
        sequence = qmc.Sobol(len(self._space.outer), scramble=True, rng=seed_of(self._seed, 1))
        if number:
            sequence.fast_forward(number)
        units = sequence.random(1)[0].tolist()
        return {p.path: p.from_unit(unit) for p, unit in zip(self._space.outer, units, strict=True)}

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        assignment: dict[str, Any] = {}
        for parameter in self._space.outer:
            if not self._space.active(parameter, assignment):
                continue
            path, spread = parameter.path, self._distributions[parameter.path]
            drawn: float | int
            if isinstance(spread, CategoricalDistribution):
                drawn = trial.suggest_categorical(path, spread.choices)
            elif isinstance(spread, IntDistribution):
                drawn = trial.suggest_int(path, spread.low, spread.high)
            else:
                drawn = trial.suggest_float(path, spread.low, spread.high)
            assignment[path] = value(parameter, drawn)
        return assignment

    def _coordinates(self, assignment: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        active = [parameter for parameter in self._space.outer if self._space.active(parameter, assignment)]
        return {
            "params": {p.path: coordinate(p, assignment[p.path]) for p in active},
            "distributions": {p.path: self._distributions[p.path] for p in active},
        }

    # --- the study behind it

    def _renew(self) -> None:
        directions = {"max": "maximize", "min": "minimize"}
        self._study = optuna.create_study(
            directions=[directions[direction] for direction in self._space.objectives.values()]
        )
        self._retired = 0
        if self._sampler in ("auto", "tpe"):
            self._study.add_trials(self._told)

    def _retire_running(self) -> None:
        """Trials cannot be taken out of a study; failed ones are seen by no sampler."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._retired += 1

    def _fresh_sampler(self, number: int, kind: str) -> BaseSampler:
        seed = seed_of(self._seed, 2, number)
        if kind == "random":
            return RandomSampler(seed=seed)
        # Jointly: knob by knob it would sort out all that it knows once for each of them.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return TPESampler(
                seed=seed,
                n_startup_trials=_STARTUP,
                constant_liar=True,
                multivariate=True,
                group=any(p.when is not None for p in self._space.outer),
            )


def _generation(seed: int, population: list[FrozenTrial], parents: list[FrozenTrial]) -> NSGAIIISampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _Generation(seed, population, parents)


class _Generation(NSGAIIISampler):  # type: ignore[misc]
    """NSGA-III at one generation, over points that it did not propose itself."""

    def __init__(self, seed: int, population: list[FrozenTrial], parents: list[FrozenTrial]) -> None:
        super().__init__(seed=seed, population_size=_POPULATION)
        self._told = population
        self._parents = parents

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:  # noqa: ARG002
        return 1

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:  # noqa: ARG002
        return self._told

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:  # noqa: ARG002
        return self._parents


def _excess(bound: Constraint, metrics: Mapping[str, float]) -> float:
    """Relative excess over a bound, negative by how much there is to spare."""
    excess = metrics[bound.metric] - bound.bound
    return (excess if bound.operator == "<=" else -excess) / max(abs(bound.bound), _TINY)
