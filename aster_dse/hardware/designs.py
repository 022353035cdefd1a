"""Designs as columns of numbers, so that one call scores many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aster_dse.hardware.architecture import Accelerator
from aster_dse.hardware.converters import SURVEY
from aster_dse.hardware.library import Library
from aster_dse.hardware.preset_files import Fabric
from aster_dse.hardware.rules import RULES, columns_per_weight, cycle_gates
from aster_dse.hardware.technology import Technology, technology
from aster_dse.space import HARDWARE_KNOBS, ROW_SIZES, CostClass
from aster_dse.space.hardware_knobs import LAYER_KNOB_NAMES

__all__ = ["COLUMN_CLASSES", "DesignTable", "columns_of"]

Ints = NDArray[np.int64]
Array = NDArray[np.float64]

_TYPES = {"integer": np.int64, "choice": np.int64, "number": np.float64, "boolean": np.bool_}
_CHIP_KNOBS = tuple(name for name, knob in HARDWARE_KNOBS.items() if knob.column and not knob.per_layer)
_FABRIC = tuple(Fabric.model_fields)
COLUMN_CLASSES: dict[str, CostClass] = {
    **{name: knob.cost for name, knob in HARDWARE_KNOBS.items() if knob.column},
    **dict.fromkeys(_FABRIC, CostClass.STRUCTURE),
    "membrane_bits": CostClass.STRUCTURE_AND_CONVERTER,  # the width of a count of rows
    "technology": CostClass.STRUCTURE_AND_CONVERTER,
}
"""What depends on each column of a table."""


def columns_of(*classes: CostClass) -> tuple[str, ...]:
    """Names of the columns of these classes."""
    return tuple(name for name, cost in COLUMN_CLASSES.items() if cost in classes)


@dataclass(frozen=True, eq=False)
class DesignTable:
    """``K`` designs. Knobs of the chip are ``[K]``; those that layers may differ in are ``[K, 1]``, or
    ``[K, layers]`` where some do."""

    rows: Ints
    columns: Ints
    cell_bits: Ints
    weight_bits: Ints
    compute: Ints
    """1 where products are summed in adder trees, else 0."""
    adc_kind: Ints
    """Index into :data:`~aster_dse.space.hardware_knobs.ADC_KINDS`."""
    adc_levels: Ints
    adc_range: Ints
    """Index into :data:`~aster_dse.space.hardware_knobs.ADC_RANGES`."""
    adc_range_per: Ints
    """Index into :data:`~aster_dse.space.hardware_knobs.ADC_RANGE_PER`."""
    column_kind: Ints
    """Index into :data:`~aster_dse.space.hardware_knobs.COLUMN_KINDS`."""
    column_mux: Ints
    arrays_per_subarray: Ints
    subarrays_per_tile: Ints
    buffer_kib: Ints
    flit_bits: Ints
    tiles: Ints
    """0 for as many as needed."""
    area_budget_mm2: Array
    """0 where no copies of layers are made."""
    pipelining: Ints
    """Index into :data:`~aster_dse.space.hardware_knobs.PIPELINING`."""
    event_gating: NDArray[np.bool_]
    clock_mhz: Array
    arrays: Ints
    """Index into :data:`~aster_dse.space.hardware_knobs.ARRAYS`."""
    membrane_bits: Ints
    router_cycles: Ints
    digital_lanes: Ints
    links_mm2: Array
    technology: Ints
    """Index into ``technologies``."""
    technologies: tuple[Technology, ...]
    libraries: tuple[str, ...]
    """Name of the library of each technology."""

    def __len__(self) -> int:
        return len(self.technology)

    @cached_property
    def columns_per_weight(self) -> Ints:
        """``[K, 1]`` or ``[K, layers]``."""
        return np.asarray(columns_per_weight(self))

    @property
    def max_clock_mhz(self) -> Array:
        """``[K]`` the fastest clock of each design, as :attr:`Accelerator.max_clock_mhz`."""
        return np.asarray(1e3 / (cycle_gates(self.membrane_bits) * self.gather("gate_ns")[:, 0]))

    @property
    def row_size_index(self) -> Ints:
        """Index of the array height in ``ROW_SIZES``."""
        return np.searchsorted(ROW_SIZES, self.rows)

    @property
    def uniform(self) -> bool:
        """Whether no layer differs from the chip in any design."""
        return all(getattr(self, name).shape[1] == 1 for name in LAYER_KNOB_NAMES)

    @classmethod
    def stack(cls, accelerators: Sequence[Accelerator], layers: Sequence[str] = ()) -> DesignTable:
        """One row per accelerator.

        Args:
            layers: names of the network's synaptic layers; needed where accelerators have knobs of layers.
        """
        if any(a.layers for a in accelerators):
            if not layers:
                raise ValueError("knobs of single layers need the names of the layers")
            views = [a.of_layers(layers) for a in accelerators]
        else:
            views = [[a] for a in accelerators]
        # Layers that are alike are one object.
        distinct = {id(view): view for row in views for view in row}
        numbers = {
            key: [HARDWARE_KNOBS[name].number(getattr(view, name)) for name in LAYER_KNOB_NAMES]
            for key, view in distinct.items()
        }
        single = np.array([[numbers[id(view)] for view in row] for row in views], dtype=np.int64)
        known: dict[tuple[Library, int, str], int] = {}
        index = [known.setdefault((a.library, a.node_nm, a.cell), len(known)) for a in accelerators]
        columns: dict[str, NDArray[Any]] = {
            name: np.ascontiguousarray(single[:, :, place]) for place, name in enumerate(LAYER_KNOB_NAMES)
        }
        for name in _CHIP_KNOBS:
            knob = HARDWARE_KNOBS[name]
            chips = [knob.number(getattr(a, name)) for a in accelerators]
            columns[name] = np.array(chips, dtype=_TYPES[knob.kind])
        columns |= {name: np.array([getattr(a.fabric, name) for a in accelerators]) for name in _FABRIC}
        return cls(
            **columns,
            technology=np.array(index, dtype=np.int64),
            technologies=tuple(technology(library, node, cell) for library, node, cell in known),
            libraries=tuple(library.name for library, _, _ in known),
        )

    @classmethod
    def vary(cls, base: Accelerator, knobs: Mapping[str, ArrayLike]) -> DesignTable:
        """Designs that differ from ``base`` in the knobs given, as arrays of one length (or of length 1).

        A knob that layers may differ in also takes ``[K, layers]``. ``tiles`` and ``area_budget_mm2`` are 0
        for none. Impossible designs are not refused: see :meth:`possible`.

        Raises:
            ValueError: a name that is no knob, a value outside a choice, a base with knobs of single layers.
        """
        if base.layers:
            raise ValueError("give knobs of single layers as [K, layers] arrays")
        arrays = {name: np.atleast_1d(np.asarray(value)) for name, value in knobs.items()}
        count = max((len(a) for a in arrays.values()), default=1)
        table = cls.stack([base]).take(np.zeros(count, dtype=np.int64))
        changed: dict[str, Any] = {}
        for name, array in arrays.items():
            knob = HARDWARE_KNOBS.get(name)
            if knob is None or not (knob.column or name == "node_nm"):
                raise ValueError(f"{name!r} is no knob that can vary")
            if knob.per_layer and array.ndim == 1:
                array = array[:, None]
            values = np.broadcast_to(array, (count, *array.shape[1:]))
            if knob.kind == "choice":
                kinds, which = np.unique(values.astype(str), return_inverse=True)
                if strange := set(kinds) - set(knob.choices):
                    raise ValueError(f"{name} must be one of {knob.choices}, not {min(strange)!r}")
                changed[name] = np.array([knob.number(kind) for kind in kinds])[which].reshape(values.shape)
            elif name == "node_nm":
                nodes, which = np.unique(values, return_inverse=True)
                technologies = tuple(technology(base.library, int(node), base.cell) for node in nodes)
                table = replace(table, technologies=technologies, libraries=(base.library.name,) * len(nodes))
                changed["technology"] = which.astype(np.int64)
            else:
                changed[name] = values.astype(_TYPES[knob.kind])
            if name == "rows" and not np.isin(values, ROW_SIZES).all():
                raise ValueError(f"rows must be one of {ROW_SIZES}")
        return replace(table, **changed)

    def possible(self) -> NDArray[np.bool_]:
        """``[K]`` whether each design can exist, by the rules that :func:`resolve` refuses with."""
        broken = np.zeros((len(self), 1), dtype=bool)
        view = _Columns(self)
        for rule in RULES:
            broken = broken | rule.broken(view)
        bits = np.log2(self.adc_levels).astype(np.int64)
        figures = self.gather_converter("conversion_pj", self.adc_kind, bits)
        missing = np.isnan(figures) & (self.adc_kind != SURVEY)
        missing |= np.isnan(self.gather_converter("cell_pj", self.adc_kind, bits))
        return np.asarray(~(broken | (missing & (self.compute == 0))).any(axis=1))

    def take(self, index: NDArray[np.int64] | slice) -> DesignTable:
        """The designs at ``index``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        taken: dict[str, Any] = {n: v[index] for n, v in values.items() if isinstance(v, np.ndarray)}
        return replace(self, **taken)

    def gather(self, name: str) -> Array:
        """``[K, 1]`` a figure of each design's technology, ready to meet ``[K, layers]``."""
        return np.array([getattr(t, name) for t in self.technologies])[self.technology, None]

    def gather_converter(self, name: str, kind: Ints, bits: Ints) -> Array:
        """``[K, ...]`` a figure of each design's converters, at the kind and resolution of each layer."""
        tables = np.array([getattr(t.converters, name) for t in self.technologies])
        return np.asarray(tables[self.technology[:, None], kind, bits])


class _Columns:
    """A table as the rules read it: knobs of the chip as columns beside those of layers."""

    def __init__(self, designs: DesignTable) -> None:
        self._designs = designs

    def __getattr__(self, name: str) -> Any:
        values = getattr(self._designs, name)
        return values[:, None] if values.ndim == 1 else values
