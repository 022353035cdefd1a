"""Totals of very many designs: what few of them differ in is worked out once.

Energy, latency and area are linear in what the converter and the clock contribute,

    latency = reads x multiplexer x slot + cycles x period + waiting
    area = base + converters x (converter, shift-add and what follows them) + arrays x (ranges, row counter)
    energy = base + conversions x conversion energy + conducting cells x cell energy + row counts x counting
             + clocked bits x cycles + static power x latency,

with coefficients that depend on the arrays, the buffers, the node and the policy alone. Designs of one such
structure share them. They come from the very functions that give the breakdowns, asked at a few points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.activity import InferenceActivity
from aster_dse.hardware.area import area_by_component, leakage_mw
from aster_dse.hardware.dataflow import Dataflow
from aster_dse.hardware.designs import DesignTable, columns_of
from aster_dse.hardware.energy import clocked_bits, energy_by_layer
from aster_dse.hardware.events import count_events
from aster_dse.hardware.latency import LayerTimes, latency_by_layer
from aster_dse.hardware.placement import place
from aster_dse.hardware.ranges import RangeCosts
from aster_dse.hardware.readout import read_out
from aster_dse.hardware.units import lane_um2
from aster_dse.space import CostClass

__all__ = ["Totals", "totals"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_STRUCTURE = columns_of(CostClass.STRUCTURE, CostClass.STRUCTURE_AND_CONVERTER)
_CONVERTER = columns_of(CostClass.CONVERTER, CostClass.STRUCTURE_AND_CONVERTER, CostClass.MULTIPLEXER)
_WORTH_WHILE = 8
"""Designs to a structure, on average, from which sharing pays."""
_TABLE = 1 << 20
"""Span of whole numbers that are numbered by a table rather than by sorting."""


@dataclass(frozen=True, eq=False)
class Totals:
    """``[K]`` each."""

    energy_pj: Array
    latency_ns: Array
    interval_ns: Array
    area_um2: Array
    leakage_mw: Array
    arrays: Ints
    tiles: Ints
    tiles_needed: Ints
    utilisation: Array


@dataclass(frozen=True, eq=False)
class _Structure:
    """Coefficients of structures, ``[S]`` each."""

    base_pj: Array
    conversions: Array
    conducting_cells: Array
    row_counts: Array
    clock_pj_per_read: Array
    """Of a slot of one cycle."""
    clock_pj: Array
    """Of the cycles that no converter takes."""
    reads: Array
    cycles: Array
    waiting_ns: Array
    base_um2: Array
    base_mw: Array
    analog_arrays: Ints
    lane_um2: Array
    logic_mw_per_um2: Array
    arrays: Ints
    tiles: Ints
    tiles_needed: Ints
    utilisation: Array


def totals(flow: Dataflow, activity: InferenceActivity, designs: DesignTable, *, chunk: int) -> Totals | None:
    """Costs of ``K`` designs under one policy; None where they have too little in common.

    Args:
        chunk: structures worked out at once.
    """
    if not designs.uniform or designs.pipelining.any() or designs.area_budget_mm2.any():
        return None
    first, which = _alike(designs, _STRUCTURE)
    if len(first) * _WORTH_WHILE > len(designs):
        return None
    parts = [
        _coefficients(flow, activity, designs.take(first[begin : begin + chunk]))
        for begin in range(0, len(first), chunk)
    ]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in _Structure.__dataclass_fields__
    }
    first_converter, which_converter = _alike(designs, _CONVERTER)
    converter = read_out(designs.take(first_converter))

    def of(name: str) -> Any:
        return joined[name][which]

    def read(values: Array) -> Array:
        return np.asarray(values[:, 0][which_converter])

    columns, mux = designs.columns[:, 0], designs.column_mux[:, 0]
    period = read(converter.period_ns)
    read_ns = np.where(designs.compute[:, 0] == 1, 1, mux) * read(converter.slot_ns)
    latency = of("reads") * read_ns + of("cycles") * period + of("waiting_ns")
    ranges = converter.ranges
    each = converter.converter_um2 + converter.shift_add_um2 + ranges.reference_um2 + ranges.multiplier_um2
    conversion = converter.conversion_pj + converter.shift_add_pj + ranges.switching_pj + ranges.multiply_pj
    per_array = (columns // mux) * (read(each) + of("lane_um2"))
    per_array += read(ranges.registers_um2 + ranges.counter_um2)
    counting = of("row_counts") * read(ranges.count_pj) if ranges.count_pj.any() else 0.0
    converters_um2 = of("analog_arrays") * per_array
    leakage = of("base_mw") + converters_um2 * of("logic_mw_per_um2")
    return Totals(
        energy_pj=of("base_pj")
        + of("conversions") * read(conversion)
        + counting
        + of("conducting_cells") * read(converter.cell_pj)
        + of("clock_pj_per_read") * (read_ns / period)
        + of("clock_pj")
        + leakage * latency,
        latency_ns=latency,
        interval_ns=latency,
        area_um2=of("base_um2") + converters_um2,
        leakage_mw=leakage,
        arrays=of("arrays"),
        tiles=of("tiles"),
        tiles_needed=of("tiles_needed"),
        utilisation=of("utilisation"),
    )


def _coefficients(flow: Dataflow, activity: InferenceActivity, designs: DesignTable) -> _Structure:
    count = len(designs)
    one, none = np.ones((count, 1)), np.zeros((count, 1))
    designs = replace(designs, column_mux=np.ones_like(designs.column_mux))
    own = read_out(designs)
    unread = replace(
        own,
        conversion_pj=none,
        shift_add_pj=none,
        cell_pj=none,
        converter_um2=none,
        shift_add_um2=none,
        # Taking off the offset depends on the structure alone.
        ranges=replace(RangeCosts(*(none,) * len(fields(RangeCosts))), subtract_pj=own.ranges.subtract_pj),
        slots=one,
        slot_ns=none,
        period_ns=one,
    )
    placement = place(flow, designs, unread)
    events = count_events(flow, activity, designs, placement)

    def times(slot_ns: float, period_ns: float) -> LayerTimes:
        at = replace(unread, slot_ns=slot_ns * one, period_ns=period_ns * one)
        return latency_by_layer(flow, activity, designs, placement, events, at)

    def total(part: LayerTimes) -> Array:
        return np.asarray(part.synaptic_ns.sum(axis=1) + part.attention_ns.sum(axis=1))

    # Linear in slot and period: three points say all.
    read, idle, slow = times(1.0, 1.0), times(0.0, 1.0), times(0.0, 2.0)
    cycles = total(slow) - total(idle)
    clock = clocked_bits(designs, placement) * designs.gather("clock_bit_pj")
    still = replace(idle, synaptic_ns=0.0 * idle.synaptic_ns, attention_ns=0.0 * idle.attention_ns)
    still = replace(still, cycles=0.0 * idle.cycles)
    energy = energy_by_layer(flow, designs, placement, events, unread, still, np.zeros(count))
    area = area_by_component(flow, designs, placement, unread)
    digital = designs.compute[:, 0] == 1
    chip = placement.tiles * designs.subarrays_per_tile * designs.arrays_per_subarray
    lane, analog = lane_um2(designs), np.where(digital, 0, chip)
    density = designs.gather("logic_mw_per_um2")[:, 0]
    # With one column to a converter there are as many lanes as columns.
    lanes_um2 = analog * designs.columns[:, 0] * lane
    return _Structure(
        base_pj=np.asarray(
            sum(part.sum(axis=1) for part in (*energy.synaptic.values(), *energy.attention.values()))
        ),
        conversions=(events.accesses * placement.used_columns).sum(axis=1),
        row_counts=(events.accesses * placement.column_tiles).sum(axis=1),
        conducting_cells=(events.conducting_rows * placement.used_columns).sum(axis=1),
        clock_pj_per_read=((read.cycles - idle.cycles) * clock).sum(axis=1),
        clock_pj=(idle.cycles * clock).sum(axis=1),
        reads=total(read) - total(idle),
        cycles=cycles,
        waiting_ns=total(idle) - cycles,
        base_um2=np.asarray(sum(area.values())) - lanes_um2,
        base_mw=leakage_mw(flow, designs, placement, area) - lanes_um2 * density,
        analog_arrays=analog,
        lane_um2=lane,
        logic_mw_per_um2=density,
        arrays=placement.arrays,
        tiles=placement.tiles,
        tiles_needed=placement.tiles_needed,
        utilisation=placement.utilisation,
    )


def _alike(designs: DesignTable, names: Sequence[str]) -> tuple[Ints, Ints]:
    """Index of the first design of each group that agrees in ``names``, and the group of each design."""
    columns = [getattr(designs, name).reshape(len(designs)) for name in names]
    varying = [column for column in columns if len(column) and (column != column[0]).any()]
    count = len(designs)
    if not varying:
        return np.zeros(min(count, 1), dtype=np.int64), np.zeros(count, dtype=np.int64)
    group, groups = np.zeros(count, dtype=np.int64), 1
    for column in varying:
        code, codes = _codes(column)
        group, groups = _codes(group * codes + code)
    first = np.empty(groups, dtype=np.int64)
    first[group[::-1]] = np.arange(count - 1, -1, -1)  # of several, the last that is written stays
    return first, group


def _codes(values: NDArray[Any]) -> tuple[Ints, int]:
    """``[K]`` values numbered from 0, equal ones alike, and how many numbers there are."""
    if values.dtype.kind in "bi":
        values = values.astype(np.int64, copy=False)
        low = int(values.min())
        span = int(values.max()) - low + 1
        if span <= _TABLE:
            seen = np.zeros(span, dtype=np.int64)
            seen[values - low] = 1
            return (np.cumsum(seen) - 1)[values - low], int(seen.sum())
    known, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64), len(known)
