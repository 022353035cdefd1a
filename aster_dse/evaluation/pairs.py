"""Policies of a network meet accelerators: every one where there is time for it, else those that are bred.

Where they cannot all be listed, accelerators are drawn evenly and judged by a few of the policies; the best
are crossed and mutated over some rounds, and the best of all meet every policy. Knobs of single layers are
drawn alike for all layers; what the layers of a good accelerator should be is worked out from their sums.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.evaluation.drawing import cardinality, mutated, spread
from aster_dse.evaluation.layer_vectors import best_vectors
from aster_dse.evaluation.pair_scores import ForeseenLoss, PairScores
from aster_dse.evaluation.question import InnerQuestion, settled
from aster_dse.hardware import Accelerator, resolve
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.policy import ChipPolicies, PolicyBatch
from aster_dse.space import (
    Candidate,
    HardwareConfig,
    LayerRanges,
    Parameter,
    parse_constraint,
)

__all__ = ["InnerPairs", "PairSearch", "check_designs", "search_pairs"]

Array = NDArray[np.float64]

_DESIGNS = 4_096
"""Accelerators that a network meets where they are drawn, not listed; with more pairs, one in 64 pairs."""
_ROUNDS = 6
_SCOUTS = 8
"""Policies that judge the drawn accelerators before the best of them meet all."""
_VECTORS = 48
"""Vectors of knobs of layers that are kept for an accelerator under a policy."""
_VECTOR_DESIGNS = 2_000
"""Designs scored to find them."""
_VECTOR_BASES = 3
"""Accelerators for which they are looked for in a round."""


@dataclass(frozen=True, eq=False)
class InnerPairs:
    """The front of the pairs of policies and accelerators that were scored."""

    assignments: tuple[dict[str, Any], ...]
    """The searched inner knobs by path; where nothing is feasible, of those that violate least."""
    objectives: Array
    """``[n, m]`` their objectives, less is better: a maximised one has its sign turned."""
    violation: Array
    """``[n]`` sum of the relative excesses over the constraints."""
    scored: int
    exhaustive: bool


def search_pairs(
    geometry: NetworkGeometry,
    policies: Sequence[Mapping[str, Any]],
    batch: PolicyBatch | ChipPolicies,
    candidate: Candidate,
    question: InnerQuestion,
) -> InnerPairs:
    """Let policies meet the accelerators of the space.

    Args:
        policies: the searched knobs of each by path.
        batch: what they make of the network, in the same order.

    Raises:
        InputError: no accelerator of the space can exist.
    """
    search = PairSearch(geometry, policies, batch, candidate, question)
    search.run()
    return search.front()


def check_designs(parameters: Sequence[Parameter], hardware: HardwareConfig, *, seed: int = 0) -> None:
    """Make sure that some accelerator of a space can exist.

    Raises:
        InputError: none of many that were drawn can; the reason is that of the last one.
    """
    searched = [p for p in parameters if p.group == "hardware"]
    if not searched:
        resolve(hardware)
        return
    refusal: InputError | None = None
    fixed = hardware.model_dump()
    for units in spread(len(searched), 256, np.random.default_rng(seed)):
        chosen = {p.name: p.from_unit(unit) for p, unit in zip(searched, units, strict=True)}
        try:
            resolve(HardwareConfig(**{**fixed, **chosen}))
        except InputError as error:
            refusal = error
        else:
            return
    if refusal is not None:
        raise refusal


class PairSearch:
    """A search among the pairs of policies and accelerators; arguments as for :func:`search_pairs`.

    Args:
        foreseen_loss: see :class:`~aster_dse.evaluation.pair_scores.PairScores`.
    """

    def __init__(
        self,
        geometry: NetworkGeometry,
        policies: Sequence[Mapping[str, Any]],
        batch: PolicyBatch | ChipPolicies,
        candidate: Candidate,
        question: InnerQuestion,
        foreseen_loss: ForeseenLoss | None = None,
    ) -> None:
        self._exhaustive = True
        self._scored_alone = 0
        """Designs scored to find what layers should be."""
        self._geometry = geometry
        self._policies = policies
        self._batch = batch if isinstance(batch, ChipPolicies) else ChipPolicies.plain(batch)
        self._candidate = candidate
        self._question = question
        self._rng = np.random.default_rng(question.seed)
        self._scores = PairScores(geometry, self._batch, question, foreseen_loss)
        layers = [layer.name for layer in geometry.synaptic]
        self._searched = [
            p.on(layers) if isinstance(p, LayerRanges) else p
            for p in question.parameters
            if p.group == "hardware"
        ]
        self._layers = next((p for p in self._searched if isinstance(p, LayerRanges)), None)
        self._designs: list[dict[str, Any]] = []
        """The searched knobs of each accelerator by path."""
        self._accelerators: list[Accelerator] = []
        self._known: set[tuple[Any, ...]] = set()
        self._refusal: InputError | None = None

    def run(self) -> None:
        """Score until the question's count is used up, or nothing is left."""
        count = max(self._question.count // len(self._policies), 1)
        listed = cardinality(self._searched)
        self._exhaustive = listed is not None and listed <= count
        everyone = np.arange(len(self._policies))
        if self._exhaustive:
            self._score(everyone, self._add(self._listed()))
        else:
            scouts = np.unique(np.linspace(0, len(everyone) - 1, _SCOUTS).round().astype(np.intp))
            # Half of the pairs go to looking around, half to the accelerators that proved good.
            most = max(_DESIGNS, self._question.count // 64)
            around = self._question.count // (2 if self._layers is None else 4)
            size = min(around // len(scouts), most) // _ROUNDS
            for number in range(_ROUNDS):
                drawn = self._drawn(max(size, 1)) if number == 0 else self._offspring(max(size, 1))
                self._score(scouts, self._add(drawn))
                if self._layers is not None:
                    self._score(scouts, self._add(self._layered(self._layers, scouts, around // _ROUNDS)))
            good = self._good(max(self._question.count // 2 // len(everyone), 1))
            self._score(np.setdiff1d(everyone, scouts), good)
        if not self._accelerators and self._refusal is not None:
            raise self._refusal

    def score_designs(self, points: Iterable[Mapping[str, Any]]) -> None:
        """Let every policy meet these accelerators, each given by the searched knobs by path."""
        self._score(np.arange(len(self._policies)), self._add(iter([dict(point) for point in points])))

    @property
    def scored(self) -> int:
        """Pairs scored so far."""
        return self._scores.scored + self._scored_alone

    @property
    def designs(self) -> Sequence[Mapping[str, Any]]:
        """The searched knobs of every accelerator met, by path."""
        return self._designs

    @property
    def accelerators(self) -> Sequence[Accelerator]:
        """Every accelerator met, in the order of :attr:`designs`."""
        return self._accelerators

    @property
    def exhaustive(self) -> bool:
        """Whether every accelerator of the space met every policy."""
        return self._exhaustive

    @property
    def scores(self) -> PairScores:
        """What the pairs came to."""
        return self._scores

    def front(self) -> InnerPairs:
        """The front, or the least infeasible pairs."""
        best = self._scores.best()
        chosen = [{**self._policies[pair.policy], **self._designs[pair.design]} for pair in best]
        return InnerPairs(
            assignments=tuple({q.path: point[q.path] for q in self._question.parameters} for point in chosen),
            objectives=np.array([pair.objectives for pair in best]),
            violation=np.array([pair.violation for pair in best]),
            scored=self.scored,
            exhaustive=self._exhaustive,
        )

    # --- accelerators

    def _listed(self) -> Iterator[dict[str, Any]]:
        for row in itertools.product(*(p.values() or () for p in self._searched)):
            yield dict(zip((p.path for p in self._searched), row, strict=True))

    def _drawn(self, count: int) -> Iterator[dict[str, Any]]:
        for units in spread(len(self._searched), count, self._rng):
            yield {p.path: p.from_unit(unit) for p, unit in zip(self._searched, units, strict=True)}

    def _offspring(self, count: int) -> Iterator[dict[str, Any]]:
        """Good accelerators crossed, with one knob in so many mutated on average."""
        parents = self._good(256)
        rng = self._rng
        for _ in range(count if parents else 0):
            mother, father = (self._designs[parents[i]] for i in rng.integers(len(parents), size=2).tolist())
            child = {}
            for p in self._searched:
                value = (mother if rng.random() < 0.5 else father)[p.path]
                # A knob whose condition was false has a value that may lie outside its range.
                if value not in p or rng.random() * len(self._searched) < 1.0:
                    value = mutated(rng, p, value)
                child[p.path] = value
            yield child

    def _layered(
        self, ranges: LayerRanges, scouts: NDArray[np.intp], budget: int
    ) -> Iterator[dict[str, Any]]:
        """Good accelerators with what their layers should be for the first and the middle scout."""
        judges = scouts[[0, len(scouts) // 2]]
        bases: dict[tuple[Any, ...], int] = {}
        for number in self._good(256):
            rest = tuple(v for path, v in self._designs[number].items() if path != ranges.path)
            bases.setdefault(rest, number)
        bounds = [parse_constraint(text) for text in self._question.constraints]
        metrics = {*self._question.objectives, *(bound.metric for bound in bounds)}
        chosen = list(bases.values())[:_VECTOR_BASES]
        for number, judge in itertools.product(chosen, dict.fromkeys(judges.tolist())):
            if budget <= 0:
                return
            found = best_vectors(
                self._geometry,
                self._batch.take(np.array([judge])).activity,
                replace(self._accelerators[number], layers=ranges.fixed_knobs),
                ranges,
                metrics,
                count=min(budget, _VECTOR_DESIGNS),
                most=_VECTORS,
                rng=self._rng,
            )
            budget -= max(found.scored, 1)
            self._scored_alone += found.scored
            for text in found.texts:
                yield {**self._designs[number], ranges.path: text}

    def _add(self, points: Iterator[dict[str, Any]]) -> list[int]:
        """Take in those accelerators that are new and can exist; their numbers."""
        added = []
        base = self._candidate.hardware.model_dump()
        for raw in points:
            point = settled(raw, self._searched, self._candidate, self._question.inactive)
            key = tuple(point.values())
            if key in self._known:
                continue
            self._known.add(key)
            chosen = {p.name: point[p.path] for p in self._searched}
            try:
                accelerator = resolve(HardwareConfig(**{**base, **chosen}))
            except InputError as refusal:
                self._refusal = refusal
                continue
            added.append(len(self._designs))
            self._designs.append(point)
            self._accelerators.append(accelerator)
        return added

    def _good(self, count: int) -> list[int]:
        """Accelerators of the best pairs so far."""
        return list(dict.fromkeys(pair.design for pair in self._scores.best()))[:count]

    def _score(self, policies: NDArray[np.intp], designs: Sequence[int]) -> None:
        self._scores.score(policies, designs, [self._accelerators[number] for number in designs])
