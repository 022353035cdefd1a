"""Designs as columns of numbers, so that one call scores many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.hardware.architecture import RULES, Accelerator, Fabric, columns_per_weight
from aster_dse.hardware.converters import ADC_KINDS
from aster_dse.hardware.library import Library
from aster_dse.hardware.technology import Technology, technology
from aster_dse.space import ROW_SIZES

__all__ = ["DesignTable"]

Ints = NDArray[np.int64]
Array = NDArray[np.float64]

_INTEGER_KNOBS = (
    "rows",
    "columns",
    "cell_bits",
    "weight_bits",
    "adc_levels",
    "column_mux",
    "arrays_per_subarray",
    "subarrays_per_tile",
    "buffer_kib",
)
_FABRIC = tuple(Fabric.model_fields)


@dataclass(frozen=True, eq=False)
class DesignTable:
    """``K`` designs. Every array has length ``K``; ``tiles`` is 0 for as many as needed."""

    rows: Ints
    columns: Ints
    cell_bits: Ints
    weight_bits: Ints
    adc_levels: Ints
    column_mux: Ints
    arrays_per_subarray: Ints
    subarrays_per_tile: Ints
    buffer_kib: Ints
    tiles: Ints
    event_gating: NDArray[np.bool_]
    clock_mhz: Array
    adc_kind: Ints
    """Index into :data:`~aster_dse.hardware.converters.ADC_KINDS`."""
    membrane_bits: Ints
    flit_bits: Ints
    router_cycles: Ints
    digital_lanes: Ints
    technology: Ints
    """Index into ``technologies``."""
    technologies: tuple[Technology, ...]
    libraries: tuple[str, ...]
    """Name of the library of each technology."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns_per_weight(self) -> Ints:
        return np.asarray(columns_per_weight(self))

    @property
    def row_size_index(self) -> Ints:
        """Index of the array height in ``ROW_SIZES``."""
        return np.searchsorted(ROW_SIZES, self.rows)

    @classmethod
    def stack(cls, accelerators: Sequence[Accelerator]) -> DesignTable:
        """One row per accelerator."""
        known: dict[tuple[Library, int], int] = {}
        index = [known.setdefault((a.library, a.node_nm), len(known)) for a in accelerators]
        columns: dict[str, NDArray[np.int64]] = {
            name: np.array([getattr(a, name) for a in accelerators], dtype=np.int64)
            for name in _INTEGER_KNOBS
        }
        columns |= {
            name: np.array([getattr(a.fabric, name) for a in accelerators], dtype=np.int64)
            for name in _FABRIC
        }
        return cls(
            **columns,
            tiles=np.array([a.tiles or 0 for a in accelerators], dtype=np.int64),
            event_gating=np.array([a.event_gating for a in accelerators], dtype=bool),
            clock_mhz=np.array([a.clock_mhz for a in accelerators], dtype=float),
            adc_kind=np.array([ADC_KINDS.index(a.adc_kind) for a in accelerators], dtype=np.int64),
            technology=np.array(index, dtype=np.int64),
            technologies=tuple(technology(library, node) for library, node in known),
            libraries=tuple(library.name for library, _ in known),
        )

    @classmethod
    def vary(cls, base: Accelerator, knobs: Mapping[str, ArrayLike]) -> DesignTable:
        """Designs that differ from ``base`` in the knobs given, as arrays of one length (or of length 1).

        ``tiles`` is 0 for as many as needed. Impossible designs are not refused: see :meth:`possible`.

        Raises:
            ValueError: a name that is no knob, or a value outside a choice.
        """
        arrays = {name: np.atleast_1d(np.asarray(value)) for name, value in knobs.items()}
        count = max((len(a) for a in arrays.values()), default=1)
        table = cls.stack([base]).take(np.zeros(count, dtype=np.int64))
        changed: dict[str, Any] = {}
        for name, array in arrays.items():
            values = np.broadcast_to(array, (count,))
            if name == "adc_kind":
                changed[name] = np.array([ADC_KINDS.index(str(kind)) for kind in values], dtype=np.int64)
            elif name == "node_nm":
                nodes, which = np.unique(values, return_inverse=True)
                technologies = tuple(technology(base.library, int(node)) for node in nodes)
                table = replace(table, technologies=technologies, libraries=(base.library.name,) * len(nodes))
                changed["technology"] = which.astype(np.int64)
            elif name in (*_INTEGER_KNOBS, "tiles", "event_gating", "clock_mhz"):
                changed[name] = values.astype(getattr(table, name).dtype)
            else:
                raise ValueError(f"{name!r} is no knob that can vary")
            if name == "rows" and not np.isin(values, ROW_SIZES).all():
                raise ValueError(f"rows must be one of {ROW_SIZES}")
        return replace(table, **changed)

    def possible(self) -> NDArray[np.bool_]:
        """``[K]`` whether each design can exist, by the rules that :func:`resolve` refuses with."""
        broken = np.zeros(len(self), dtype=bool)
        for rule in RULES:
            broken |= rule.broken(self)
        return ~broken

    def take(self, index: NDArray[np.int64] | slice) -> DesignTable:
        """The designs at ``index``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        taken: dict[str, Any] = {n: v[index] for n, v in values.items() if isinstance(v, np.ndarray)}
        return replace(self, **taken)

    def gather(self, name: str) -> Array:
        """``[K, 1]`` a figure of each design's technology, ready to meet ``[K, layers]``."""
        return np.array([getattr(t, name) for t in self.technologies])[self.technology, None]

    def gather_converter(self, name: str) -> Array:
        """``[K, ...]`` a coefficient of each design's converters."""
        return np.array([getattr(t.converters, name) for t in self.technologies])[self.technology]
