"""Points of the knobs of an accelerator: drawn evenly, and mutated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc  # type: ignore[import-untyped]

from aster_dse.space import Choice, LayerRanges, Parameter

__all__ = ["cardinality", "mutated", "spread"]

_STEP = 0.15
"""Standard deviation of a mutation, as a share of the knob's range."""


def cardinality(parameters: Sequence[Parameter]) -> int | None:
    """How many points knobs span; None where one of them is continuous."""
    counts = [p.cardinality for p in parameters]
    return None if None in counts else math.prod(count for count in counts if count is not None)


def spread(dimensions: int, count: int, rng: np.random.Generator) -> Iterator[list[float]]:
    """Scrambled Sobol points, which fill a space evenly."""
    if not dimensions:
        yield []
        return
    sequence = qmc.Sobol(dimensions, scramble=True, rng=rng)
    yield from sequence.random(2 ** max(count - 1, 1).bit_length()).tolist()[:count]


def mutated(rng: np.random.Generator, parameter: Parameter, value: Any) -> Any:
    """Another value of a knob, near the old one where values have an order."""
    if value not in parameter:
        return parameter.from_unit(rng.random())
    if isinstance(parameter, LayerRanges):
        vector = list(parameter.vector(value))
        slot = int(rng.integers(len(vector))) if vector else 0
        return parameter.text(
            [
                int(rng.integers(count)) if option is None or place == slot else option
                for place, (option, count) in enumerate(zip(vector, parameter.counts, strict=True))
            ]
        )
    if isinstance(parameter, Choice):
        others = [option for option in parameter.options if option != value]
        return others[int(rng.integers(len(others)))] if others else value
    unit = parameter.to_unit(value) + _STEP * float(rng.standard_normal())
    folded = math.fmod(abs(unit), 2.0)
    return parameter.from_unit(2.0 - folded if folded > 1.0 else folded)
