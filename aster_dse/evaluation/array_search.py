"""The inner level on real arrays: a network's front as its arrays compute it, verified.

All that changes what arrays compute, a numerics class, needs a pass of its own; all else is scored exactly
from the pass. Costs are foreseen from the plain network's counts and accuracies from what each class adds
to the layers' outputs. The class that promises most goes first; the next is that which, at its foreseen
loss, adds most to the front of those that were run, and none is run that would add less than a per cent.
What they really lose corrects what is foreseen of the others. No class is taken to be at least as good as
another: accuracy is not monotone in levels, rows or bits.

Classes are chosen on one calibration set and some chips; what the front's configurations come to is
measured on another set and other chips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import ActivityTrace
from aster_dse.errors import AsterError, PassError
from aster_dse.evaluation.array_classes import KnownArrays
from aster_dse.evaluation.calibration_sets import SELECTION, VERIFICATION
from aster_dse.evaluation.class_choice import ClassChoice, ForeseenClass
from aster_dse.evaluation.class_space import ClassSpace
from aster_dse.evaluation.foreseen_loss import ForeseenLosses
from aster_dse.evaluation.inner import InnerAnswer, policy_points, useful_policies
from aster_dse.evaluation.on_arrays import ArrayComputing, computing_of, conditions_of, evaluate_on_arrays
from aster_dse.evaluation.pairs import PairSearch
from aster_dse.evaluation.probe import Probe
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.hardware import Accelerator
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.pareto import feasible_front
from aster_dse.policy import ChipPolicies, accuracy_on_chips
from aster_dse.space import Candidate, PolicyConfig, assign

__all__ = ["search_arrays"]

Array = NDArray[np.float64]

_NEGLIGIBLE = 0.01
"""Share of the covered space that a class has to promise."""
_PROBES = 12
"""Classes that are probed: with 8 the search found 0.6 % less hypervolume, with 24 no more."""
_NEAREST = 8
"""Configurations kept where none is feasible."""


@dataclass(eq=False)
class _ArrayClass:
    """Accelerators that compute alike."""

    computes: ArrayComputing
    designs: list[int]
    foreseen: ForeseenClass


@dataclass(frozen=True, eq=False)
class _Found:
    """Configurations of classes that were run."""

    assignments: list[dict[str, Any]]
    objectives: Array
    violation: Array


def search_arrays(
    passes: NetworkPasses,
    candidate: Candidate,
    question: InnerQuestion,
    *,
    verify: bool = True,
    every_class: bool = False,
) -> InnerAnswer:
    """Find the inner front of a network on real arrays.

    Args:
        passes: of the network; they are made where they are not found.
        candidate: the network; its own policy and accelerator give what is not searched.
        verify: measure the front anew, on another calibration set and other chips.
        every_class: run all classes of the accelerators met, whatever ``question.passes`` says and whatever
            they promise; the choice among them is measured against that.

    Raises:
        InputError: no accelerator of the space can exist.
        PassError: no pass could be made.
    """
    passes = passes.on_samples(candidate.hardware.validation_samples).under(conditions_of(candidate))
    search = _Search(passes, candidate, question)
    found = search.run(every_class=every_class)
    best = feasible_front(found.objectives, found.violation, _NEAREST)
    chosen = [found.assignments[index] for index in best.tolist()]
    wanted = VERIFICATION if verify else SELECTION
    evaluations = evaluate_on_arrays(
        passes,
        candidate,
        chosen,
        question.constraints,
        calibration_set=wanted,
        failures=search.failures,
    )
    signs = np.array([-1.0 if goal == "max" else 1.0 for goal in question.objectives.values()])
    figures = np.array([[e.metrics[name] for name in question.objectives] for e in evaluations]) * signs
    kept = feasible_front(figures, [e.violation for e in evaluations], _NEAREST)
    return InnerAnswer(
        evaluations=tuple(evaluations[index] for index in kept.tolist()),
        scored=search.scored,
        exhaustive=search.exhaustive,
        classes=search.classes_run,
        failures=tuple(dict.fromkeys(map(str, search.failures))),
    )


class _Search:
    def __init__(self, passes: NetworkPasses, candidate: Candidate, question: InnerQuestion) -> None:
        self.scored = 0
        self.classes_run = 0
        self.failures: list[PassError] = []
        self.exhaustive = True
        self._passes, self._candidate, self._question = passes, candidate, question
        self._geometry = passes.plain.geometry
        self._points = policy_points(passes.plain, candidate, question)
        self._place = list(question.with_accuracy().objectives).index("accuracy")

    def run(self, *, every_class: bool) -> _Found:
        """All configurations that are best in one of the classes that are run."""
        policies, batch = self._useful_policies([])
        losses = None
        if not every_class:
            losses = ForeseenLosses(self._passes.foreseen, self._geometry, batch.accuracy)
        question = self._question.before_passes()
        explored = PairSearch(self._geometry, policies, batch, self._candidate, question, losses)
        explored.run()
        self.scored += explored.scored
        self.exhaustive = explored.exhaustive
        classes = [] if losses is None else self._classes(explored, losses)
        if losses is None:
            found = self._run_all(self._alike(explored), explored)
        elif classes:
            chosen = [assign(self._candidate, policy).policy for policy in policies]
            found = self._run_most_promising(classes, explored, losses, chosen)
        else:
            found = self._run_all(self._nearest(explored), explored)
        if not found:
            raise self.failures[-1] if self.failures else AsterError("there is no class of arrays to run")
        return _Found(
            [a for one in found for a in one.assignments],
            np.concatenate([one.objectives for one in found]),
            np.concatenate([one.violation for one in found]),
        )

    def _run_all(self, classes: Mapping[ArrayComputing, list[int]], explored: PairSearch) -> list[_Found]:
        attempts = (self._attempt(*one, explored) for one in classes.items())
        return [attempt[0] for attempt in attempts if attempt is not None]

    def _nearest(self, explored: PairSearch) -> dict[ArrayComputing, list[int]]:
        """Classes of the accelerators that violate bounds on costs least, where all violate some."""
        nearest = {pair.design for pair in explored.scores.best()}
        classes = [one for one in self._alike(explored).items() if nearest & set(one[1])]
        return dict(classes[: self._question.passes])

    def _run_most_promising(
        self,
        classes: list[_ArrayClass],
        explored: PairSearch,
        losses: ForeseenLosses,
        policies: Sequence[PolicyConfig],
    ) -> list[_Found]:
        self._probe(classes, losses, policies)
        choice = self._choice(classes, losses)
        found: list[_Found] = []
        while classes and self.classes_run < self._question.passes:
            best, promise = choice.best([one.foreseen for one in classes])
            if found and promise <= _NEGLIGIBLE:
                break
            one = classes.pop(best)
            attempt = self._attempt(one.computes, one.designs, explored)
            if attempt is None:
                continue
            result, traces = attempt
            losses.observe(one.computes.arrays, accuracy_on_chips(traces, policies))
            found.append(result)
            feasible = result.objectives[result.violation <= 0.0]
            choice.ran(one.foreseen, -feasible[:, self._place], np.delete(feasible, self._place, axis=1))
        return found

    # --- what is foreseen

    def _alike(self, explored: PairSearch) -> dict[ArrayComputing, list[int]]:
        """Numbers of the designs that compute alike, in an order that is not the space's."""
        by_arrays: dict[ArrayComputing, list[int]] = {}
        known = KnownArrays(self._geometry)
        for number, accelerator in enumerate(explored.accelerators):
            arrays = known.of(accelerator)
            computes = computing_of(accelerator, self._geometry, SELECTION, arrays)
            by_arrays.setdefault(computes, []).append(number)
        return dict(sorted(by_arrays.items(), key=lambda one: repr(one[0])))

    def _classes(self, explored: PairSearch, losses: ForeseenLosses) -> list[_ArrayClass]:
        kept = []
        by_arrays = self._alike(explored)
        pairs = explored.scores.feasible(list(by_arrays.values()))
        for (computes, designs), (policies, points) in zip(by_arrays.items(), pairs, strict=True):
            if len(points):
                points[:, self._place] -= losses.of_designs([explored.accelerators[designs[0]]])
                foreseen = ForeseenClass.of_points(computes.arrays, policies, points, self._place)
                kept.append(_ArrayClass(computes, designs, foreseen))
        return kept

    def _choice(self, classes: Sequence[_ArrayClass], losses: ForeseenLosses) -> ClassChoice:
        foreseen = [one.foreseen for one in classes]
        return ClassChoice(foreseen, losses, self._question.least_accuracy, self._question.seed)

    def _probe(
        self,
        classes: Sequence[_ArrayClass],
        losses: ForeseenLosses,
        policies: Sequence[PolicyConfig],
    ) -> None:
        """See what some samples say of the classes that promise most; chips differ too much for that."""
        if not self._passes.conditions.ideal:
            return
        probe, choice = Probe(self._passes, policies), self._choice(classes, losses)
        for index in choice.most_promising([one.foreseen for one in classes], _PROBES):
            arrays = classes[index].computes.arrays
            losses.probed(arrays, probe.losses(arrays))

    # --- what is run

    def _useful_policies(self, chips: Sequence[ActivityTrace]) -> tuple[list[dict[str, Any]], ChipPolicies]:
        plain, candidate, question = self._passes.plain, self._candidate, self._question
        return useful_policies(plain, candidate, question, chips=chips, points=self._points)

    def _attempt(
        self, computes: ArrayComputing, designs: Sequence[int], explored: PairSearch
    ) -> tuple[_Found, list[ActivityTrace]] | None:
        """Run a class; None, and why, where a pass fails."""
        try:
            traces = computes.traces(self._passes, 0)
        except PassError as error:
            self.failures.append(error)
            return None
        self.classes_run += 1
        return self._run(computes, designs, explored, traces), traces

    def _run(
        self,
        computes: ArrayComputing,
        numbers: Sequence[int],
        explored: PairSearch,
        traces: Sequence[ActivityTrace],
    ) -> _Found:
        """Score a class from its passes."""
        policies, chips = self._useful_policies(traces)
        question = self._question.with_accuracy()
        designs = [explored.designs[number] for number in numbers]
        if explored.exhaustive:
            space = ClassSpace({}, question.parameters)
            search = PairSearch(self._geometry, policies, chips, self._candidate, question)
            search.score_designs(designs)
        else:
            layers = [layer.name for layer in self._geometry.synaptic]
            space = ClassSpace.around(question.parameters, designs[0], layers)
            # Half of it where the vectors of layers that were explored are known already.
            share = question.passes * (1 if space.inside is None else 2)
            count = max(question.count // share, 1)
            free = replace(question, parameters=space.parameters, count=count)
            candidate = assign(self._candidate, dict(space.fixed))

            def alike(accelerator: Accelerator) -> bool:
                return computing_of(accelerator, self._geometry, SELECTION) == computes

            search = PairSearch(self._geometry, policies, chips, candidate, free, alike=alike)
            search.score_designs(space.designs(designs))
            search.run()
        front = search.front()
        self.scored += search.scored
        paths = [p.path for p in self._question.parameters]
        points = [space.outside(point) for point in front.assignments]
        assignments = [{path: point[path] for path in paths} for point in points]
        return _Found(assignments, front.objectives, front.violation)
