"""All combinations of some knobs, scored a part at a time, so that memory stays small however many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import InferenceActivity
from aster_dse.hardware.architecture import Accelerator
from aster_dse.hardware.cost import CostTable, estimate_many
from aster_dse.hardware.designs import DesignTable
from aster_dse.network.geometry import NetworkGeometry

__all__ = ["DesignGrid", "estimate_grid"]

PART = 1 << 17
"""Designs scored at once: some 100 MB."""


class DesignGrid:
    """Every combination of the values of some knobs, numbered; the last knob varies fastest."""

    def __init__(self, base: Accelerator, knobs: Mapping[str, Sequence[Any]]) -> None:
        """Of designs that differ from ``base`` in ``knobs``, each with the values that it takes.

        Raises:
            ValueError: a name that is no knob, a value outside a choice, or no value.
        """
        if empty := [name for name, values in knobs.items() if not len(values)]:
            raise ValueError(f"{empty[0]} has no value")
        self.knobs = {name: tuple(values) for name, values in knobs.items()}
        self._base = DesignTable.stack([base])
        self._varied = {
            name: DesignTable.vary(base, {name: np.array(values)}) for name, values in self.knobs.items()
        }

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.knobs.values())

    def _digits(self, numbers: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        shape = [len(values) for values in self.knobs.values()]
        return dict(zip(self.knobs, np.unravel_index(numbers, shape) if shape else (), strict=True))

    def table(self, begin: int, end: int) -> DesignTable:
        """The designs numbered from ``begin`` up to ``end``."""
        numbers = np.arange(begin, min(end, len(self)))
        table = self._base.take(np.zeros(len(numbers), dtype=np.int64))
        for name, digits in self._digits(numbers).items():
            varied = self._varied[name]
            column = "technology" if name == "node_nm" else name
            changed: dict[str, Any] = {column: getattr(varied, column)[digits]}
            if name == "node_nm":
                changed |= {"technologies": varied.technologies, "libraries": varied.libraries}
            table = replace(table, **changed)
        return table

    def design(self, number: int) -> dict[str, Any]:
        """The knobs of one design."""
        digits = self._digits(np.array([number]))
        return {name: values[int(digits[name][0])] for name, values in self.knobs.items()}


def estimate_grid(
    geometry: NetworkGeometry, activity: InferenceActivity, grid: DesignGrid, *, part: int = PART
) -> Iterator[tuple[int, NDArray[np.bool_], CostTable]]:
    """Score a grid under one policy.

    Yields:
        Number of the first design of a part, ``[K]`` which of the part's designs can exist, and the costs of
        all of its ``K``; those of designs that cannot exist mean nothing.
    """
    for begin in range(0, len(grid), part):
        designs = grid.table(begin, begin + part)
        possible = designs.possible()
        if not possible.all():
            # What cannot exist is replaced by what can, so that nothing is divided by zero columns.
            stand_in = int(np.argmax(possible))
            if not possible.any():
                continue
            designs = designs.take(np.where(possible, np.arange(len(designs)), stand_in))
        yield begin, possible, estimate_many(geometry, activity, designs)
