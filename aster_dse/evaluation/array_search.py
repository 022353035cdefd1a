"""The inner level on real arrays: a network's front as its arrays compute it, verified.

All that changes what arrays compute, a numerics class, needs a pass of its own; all else is scored exactly
from the pass. Costs are foreseen from the plain network's counts and accuracies from what each class adds
to the layers' outputs. The class that promises most goes first; the next is that which, at its foreseen
loss, adds most to the front of those that were run, and none is run that would add less than half a per
cent. What they really lose corrects what is foreseen of the others. No class is taken to be at least as
good as another: accuracy is not monotone in levels, rows or bits.

Classes are chosen on one calibration set and some chips; what the front's configurations come to is
measured on another set and other chips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import PassError
from aster_dse.evaluation.array_classes import NUMERICS_KNOBS, Computes, computes
from aster_dse.evaluation.coverage import Coverage
from aster_dse.evaluation.evaluate import evaluate
from aster_dse.evaluation.foreseen_loss import ForeseenLosses
from aster_dse.evaluation.inner import InnerAnswer, useful_policies
from aster_dse.evaluation.pairs import PairSearch
from aster_dse.evaluation.question import InnerQuestion
from aster_dse.evaluation.result import Evaluation
from aster_dse.hardware import Accelerator, resolve
from aster_dse.numerics.network_passes import NetworkPasses
from aster_dse.pareto import non_dominated_mask
from aster_dse.space import METRICS, Candidate, LayerRanges, assign, parse_constraint

__all__ = ["evaluate_on_arrays", "search_arrays"]

Array = NDArray[np.float64]

SELECTION, VERIFICATION = 0, 1
"""Calibration sets."""
_NEGLIGIBLE = 0.005
"""Share of the covered space that a class has to promise."""
_NEAREST = 8
"""Configurations kept where none is feasible."""


@dataclass
class _ArrayClass:
    """Accelerators that compute alike."""

    computes: Computes
    designs: list[int] = field(default_factory=list)
    points: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """Foreseen front, without any loss of accuracy; less is better."""


@dataclass(frozen=True, eq=False)
class _Found:
    """Configurations of classes that were run."""

    assignments: list[dict[str, Any]]
    objectives: Array
    violation: Array


def search_arrays(
    passes: NetworkPasses, candidate: Candidate, question: InnerQuestion, *, verify: bool = True
) -> InnerAnswer:
    """Find the inner front of a network on real arrays.

    Args:
        passes: of the network; they are made where they are not found.
        candidate: the network; its own policy and accelerator give what is not searched.
        verify: measure the front anew, on another calibration set and other chips.

    Raises:
        InputError: no accelerator of the space can exist.
        PassError: no pass could be made.
    """
    passes = passes.on_samples(candidate.hardware.validation_samples)
    search = _Search(passes, candidate, question)
    found = search.run()
    best = _front_of(found.objectives, found.violation)
    chosen = [found.assignments[index] for index in best]
    wanted = VERIFICATION if verify else SELECTION
    evaluations = evaluate_on_arrays(passes, candidate, chosen, question.constraints, calibration_set=wanted)
    signs = np.array([-1.0 if goal == "max" else 1.0 for goal in question.objectives.values()])
    figures = np.array([[e.metrics[name] for name in question.objectives] for e in evaluations]) * signs
    kept = _front_of(figures, np.array([e.violation for e in evaluations]))
    return InnerAnswer(
        evaluations=tuple(evaluations[index] for index in kept),
        scored=search.scored,
        exhaustive=search.exhaustive,
        classes=search.classes_run,
        failures=tuple(search.failures),
    )


def evaluate_on_arrays(
    passes: NetworkPasses,
    candidate: Candidate,
    inner: Sequence[Mapping[str, Any]],
    constraints: Sequence[str],
    *,
    calibration_set: int = VERIFICATION,
    first_chip: int | None = None,
) -> tuple[Evaluation, ...]:
    """Evaluate ``candidate`` with each of the ``inner`` assignments laid over it, on its arrays, in their
    order.

    Args:
        first_chip: number of the first chip; None for those that the calibration set goes with: 0 for
            selection,
            and for others those that follow the chips of the sets before.
    """
    passes = passes.on_samples(candidate.hardware.validation_samples)
    geometry = passes.plain.geometry
    bounds = [parse_constraint(text) for text in constraints]
    groups: dict[Computes, list[int]] = {}
    for index, assignment in enumerate(inner):
        accelerator = resolve(assign(candidate, dict(assignment)).hardware)
        groups.setdefault(computes(accelerator, geometry, calibration_set), []).append(index)
    found: dict[int, Evaluation] = {}
    for alike, members in groups.items():
        traces = alike.traces(passes, first_chip)
        scored = evaluate(passes.plain, candidate, [inner[index] for index in members], bounds, chips=traces)
        found |= dict(zip(members, scored, strict=True))
    return tuple(found[index] for index in range(len(inner)))


class _Search:
    def __init__(self, passes: NetworkPasses, candidate: Candidate, question: InnerQuestion) -> None:
        self.scored = 0
        self.classes_run = 0
        self.failures: list[str] = []
        self.exhaustive = True
        self._passes, self._candidate, self._question = passes, candidate, question
        self._geometry = passes.plain.geometry
        self._names = list(question.objectives)
        if "accuracy" not in self._names:
            self._names.append("accuracy")

    def run(self) -> _Found:
        """Run the classes that promise most; all configurations that are best in one of them."""
        policies, batch = useful_policies(self._passes.plain, self._candidate, self._question)
        losses = ForeseenLosses(self._passes.foreseen, self._geometry, float(batch.accuracy.max()))
        explored = PairSearch(
            self._geometry, policies, batch, self._candidate, self._foreseen_question(), losses.of_designs
        )
        explored.run()
        self.scored += explored.scored
        self.exhaustive = explored.exhaustive
        classes = self._classes(explored, losses)
        coverage = Coverage(np.concatenate([one.points for one in classes]), self._question.seed)
        covered = coverage.nothing
        found: list[_Found] = []
        while classes and self.classes_run < self._question.passes:
            gains = [int((coverage.of(self._shifted(one, losses)) & ~covered).sum()) for one in classes]
            best = int(np.argmax(gains))
            if found and gains[best] <= _NEGLIGIBLE * max(int(covered.sum()), 1):
                break
            one = classes.pop(best)
            try:
                result, accuracy = self._run(one, explored)
            except PassError as error:
                self.failures.append(str(error))
                continue
            self.classes_run += 1
            losses.observe(one.computes.arrays, float(batch.accuracy.max()) - accuracy)
            found.append(result)
            covered |= coverage.of(self._of_names(result))
        if not found:
            raise PassError("", "", self.failures[-1] if self.failures else "no class of arrays to run")
        return _Found(
            [a for one in found for a in one.assignments],
            np.concatenate([one.objectives for one in found]),
            np.concatenate([one.violation for one in found]),
        )

    # --- what is foreseen

    def _foreseen_question(self) -> InnerQuestion:
        """Accuracy always counts; bounds on it are those of real arrays, which nobody knows yet."""
        lasting = tuple(
            text
            for text in self._question.constraints
            if not METRICS[parse_constraint(text).metric].improves_with_training
        )
        objectives = {name: METRICS[name].direction for name in self._names} | dict(self._question.objectives)
        return replace(self._question, objectives=objectives, constraints=lasting)

    def _classes(self, explored: PairSearch, losses: ForeseenLosses) -> list[_ArrayClass]:
        by_arrays: dict[Computes, _ArrayClass] = {}
        for number, accelerator in enumerate(explored.accelerators):
            alike = computes(accelerator, self._geometry, SELECTION)
            by_arrays.setdefault(alike, _ArrayClass(alike)).designs.append(number)
        place = self._names.index("accuracy")
        kept = []
        for one in by_arrays.values():
            pairs = explored.scores.best(np.array(one.designs))
            if pairs:
                one.points = np.array([pair.objectives for pair in pairs])
                one.points[:, place] -= losses.of(one.computes.arrays)
                kept.append(one)
        return kept

    def _shifted(self, one: _ArrayClass, losses: ForeseenLosses) -> Array:
        """The class's points at its foreseen loss, as far as they keep the bounds on accuracy."""
        place = self._names.index("accuracy")
        points = one.points.copy()
        points[:, place] += losses.of(one.computes.arrays)
        for text in self._question.constraints:
            bound = parse_constraint(text)
            if bound.metric in ("accuracy", "accuracy_min") and bound.operator == ">=":
                points = points[-points[:, place] >= bound.bound]
        return points

    def _of_names(self, result: _Found) -> Array:
        """Feasible objectives of what was found, with accuracy."""
        return result.objectives[result.violation <= 0.0][:, : len(self._names)]

    # --- what is run

    def _run(self, one: _ArrayClass, explored: PairSearch) -> tuple[_Found, float]:
        """Score a class from its passes; and the accuracy that is left at best."""
        traces = one.computes.traces(self._passes)
        policies, chips = useful_policies(self._passes.plain, self._candidate, self._question, chips=traces)
        question = self._question_with_accuracy()
        fixed: dict[str, Any] = {}
        if explored.exhaustive or self._searches_arrays_of_layers():
            search = PairSearch(self._geometry, policies, chips, self._candidate, question)
            search.score_designs([dict(explored.designs[number]) for number in one.designs])
        else:
            fixed = {
                p.path: explored.designs[one.designs[0]][p.path]
                for p in question.parameters
                if p.group == "hardware" and p.name in NUMERICS_KNOBS
            }
            free = replace(
                question,
                parameters=tuple(p for p in question.parameters if p.path not in fixed),
                count=max(question.count // question.passes, 1),
            )
            search = PairSearch(self._geometry, policies, chips, assign(self._candidate, fixed), free)
            search.run()
        front = search.front()
        self.scored += search.scored
        paths = [p.path for p in self._question.parameters]
        assignments = [{path: {**fixed, **point}[path] for path in paths} for point in front.assignments]
        return _Found(assignments, front.objectives, front.violation), float(chips.accuracy.max())

    def _question_with_accuracy(self) -> InnerQuestion:
        objectives = dict(self._question.objectives)
        objectives.setdefault("accuracy", "max")
        return replace(self._question, objectives=objectives)

    def _searches_arrays_of_layers(self) -> bool:
        return any(
            isinstance(p, LayerRanges)
            and any(name in NUMERICS_KNOBS for family in p.families for name, _ in family.knobs)
            for p in self._question.parameters
        )


def _front_of(objectives: Array, violation: Array) -> list[int]:
    """The feasible rows that no other one beats, equal ones once; without any, those that violate least."""
    feasible = np.flatnonzero(violation <= 0.0)
    if not len(feasible):
        return [int(index) for index in np.argsort(violation, kind="stable")[:_NEAREST]]
    _, first = np.unique(objectives[feasible], axis=0, return_index=True)
    rows = feasible[np.sort(first)]
    return [int(index) for index in rows[non_dominated_mask(objectives[rows])]]


def accelerators_of(candidate: Candidate, inner: Sequence[Mapping[str, Any]]) -> list[Accelerator]:
    """The accelerator of each assignment."""
    return [resolve(assign(candidate, dict(assignment)).hardware) for assignment in inner]
