"""The inner level: which policies and accelerators to score on a trained network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc  # type: ignore[import-untyped]

from aster_dse.errors import InputError
from aster_dse.hardware import resolve
from aster_dse.search.sampling import seed_of
from aster_dse.space import Choice, HardwareConfig, Parameter, SearchSpace

__all__ = ["InnerKey", "InnerPoints"]

InnerKey = tuple[Any, ...]
"""The values of the inner knobs, in their order: what tells two points of one network apart."""

_STEP = 0.15
"""Standard deviation of a mutation, as a share of the knob's range."""
_CROSSOVER = 0.5
_TRIES_PER_POINT = 20
_ENUMERABLE = 20_000


class InnerPoints:
    """Gives every trained network new inner points: half spread over the space, half near the best so far.

    Points that the accelerator model refuses are replaced here, where that costs microseconds.
    """

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._fixed_hardware = {
            path.partition(".")[2]: value
            for path, value in space.fixed.items()
            if path.startswith("hardware.")
        }
        self._searched_hardware = [p for p in space.inner if p.group == "hardware"]
        if not self._searched_hardware:
            resolve(HardwareConfig(**self._fixed_hardware))
        self.refusal: InputError | None = None
        """Why the accelerator model refused the last point that it refused."""

    def key(self, assignment: Mapping[str, Any]) -> InnerKey:
        """What identifies the inner part of an assignment."""
        return tuple(assignment[parameter.path] for parameter in self._space.inner)

    def generate(
        self,
        number: int,
        proposed: Mapping[str, Any],
        count: int,
        *,
        parents: Sequence[Mapping[str, Any]],
        taken: Collection[InnerKey],
    ) -> list[dict[str, Any]]:
        """Up to ``count`` distinct inner assignments for the network of ``proposed``.

        Args:
            number: of the trial; with the seed of the search it decides every draw.
            proposed: all searched knobs; its inner part comes first unless it is taken or refused.
            count: how many are wanted; fewer come where the network has no more.
            parents: good inner assignments, to recombine and mutate.
            taken: points that this network has or is about to have.
        """
        inner = self._space.inner
        if not inner:
            return [] if () in taken else [{}]
        rng = np.random.default_rng(seed_of(self._seed, 4, number))
        chosen: dict[InnerKey, dict[str, Any]] = {}

        def fill(points: Iterator[dict[str, Any]], wanted: int) -> None:
            tries = _TRIES_PER_POINT * max(wanted - len(chosen), 0)
            for raw in itertools.islice(points, tries):
                point = self._settle(raw, proposed)
                key = self.key(point)
                if key not in chosen and key not in taken and self._exists(point):
                    chosen[key] = point
                    if len(chosen) >= wanted:
                        return

        fill(iter([dict(proposed)]), 1)
        spread = count if not parents else 1 + math.ceil((count - 1) / 2)
        fill(self._spread(rng, spread), spread)
        if parents:
            fill(self._offspring(rng, parents), count)
        fill(self._spread(rng, count), count)
        if len(chosen) < count and self._countable():
            everything = [list(parameter.values() or ()) for parameter in inner]
            rest = [
                dict(zip((p.path for p in inner), row, strict=True)) for row in itertools.product(*everything)
            ]
            for index in rng.permutation(len(rest)).tolist():
                if len(chosen) >= count:
                    break
                fill(iter([rest[index]]), len(chosen) + 1)
        return list(chosen.values())

    def _countable(self) -> bool:
        size = self._space.size().inner
        return size is not None and size <= _ENUMERABLE

    def _settle(self, raw: Mapping[str, Any], outer: Mapping[str, Any]) -> dict[str, Any]:
        """The inner knobs of ``raw`` as they count on this network: those not searched there at defaults."""
        values = {**self._space.fixed, **{p.path: outer[p.path] for p in self._space.outer}}
        for parameter in self._space.inner:
            if parameter.when is None or parameter.when.holds(values):
                values[parameter.path] = raw[parameter.path]
        return {parameter.path: values[parameter.path] for parameter in self._space.inner}

    def _exists(self, point: Mapping[str, Any]) -> bool:
        if not self._searched_hardware:
            return True
        chosen = {parameter.name: point[parameter.path] for parameter in self._searched_hardware}
        try:
            resolve(HardwareConfig(**{**self._fixed_hardware, **chosen}))
        except InputError as refusal:
            self.refusal = refusal
            return False
        return True

    def _spread(self, rng: np.random.Generator, count: int) -> Iterator[dict[str, Any]]:
        """Scrambled Sobol points, in blocks of a power of two, which keeps each block even."""
        inner = self._space.inner
        sequence = qmc.Sobol(len(inner), scramble=True, rng=rng)
        block = max(count - 1, 1).bit_length()
        while True:
            for units in sequence.random(2**block).tolist():
                yield {p.path: p.from_unit(unit) for p, unit in zip(inner, units, strict=True)}

    def _offspring(
        self, rng: np.random.Generator, parents: Sequence[Mapping[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """Parents, as they are or crossed uniformly, with one knob in so many mutated on average."""
        inner = self._space.inner
        while True:
            mother, father = (parents[index] for index in rng.integers(len(parents), size=2).tolist())
            if rng.random() >= _CROSSOVER:
                father = mother
            child = {p.path: (mother if rng.random() < 0.5 else father)[p.path] for p in inner}
            for parameter in inner:
                if child[parameter.path] not in parameter:
                    # It was not searched where it comes from, and its default is outside the range.
                    child[parameter.path] = parameter.from_unit(rng.random())
                elif rng.random() * len(inner) < 1.0:
                    child[parameter.path] = _mutated(rng, parameter, child[parameter.path])
            yield child


def _mutated(rng: np.random.Generator, parameter: Parameter, value: Any) -> Any:
    if isinstance(parameter, Choice):
        others = [option for option in parameter.options if option != value]
        return others[int(rng.integers(len(others)))] if others else value
    unit = parameter.to_unit(value) + _STEP * float(rng.standard_normal())
    folded = math.fmod(abs(unit), 2.0)
    return parameter.from_unit(2.0 - folded if folded > 1.0 else folded)
