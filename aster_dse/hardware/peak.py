"""What a design could do at most, whatever the network: for comparison with published peak figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aster_dse.hardware.architecture import Accelerator
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.readout import read_out
from aster_dse.hardware.units import array_um2, row_drive_pj, tile_um2

__all__ = ["Peak", "peak"]


@dataclass(frozen=True)
class Peak:
    """Of a chip whose arrays all work all the time, every row driven and every column used."""

    tops: float
    """10^12 operations a second, two to a product of an input of all its bits and a weight."""
    area_mm2: float
    """Without membranes, whose number depends on the network."""
    access_pj: dict[str, float]
    """Energy of one access of one array with half of its rows conducting, by component."""
    fj_per_mac: float
    """Of a product of a one-bit input and a whole weight."""
    access_ns: float

    @property
    def gops_per_mm2(self) -> float:
        """Computational efficiency, as ISAAC defines it."""
        return self.tops * 1e3 / self.area_mm2

    @property
    def tops_per_w(self) -> float:
        """Of the arrays alone, for one-bit inputs."""
        return 2e3 / self.fj_per_mac


def peak(accelerator: Accelerator, *, input_bits: int = 1) -> Peak:
    """Peak figures of an accelerator; one tile where the number of tiles is left to the network."""
    designs = DesignTable.stack([accelerator])
    converter = read_out(designs)
    ranges = converter.ranges
    tiles = accelerator.tiles or 1
    arrays = tiles * accelerator.subarrays_per_tile * accelerator.arrays_per_subarray
    weights = accelerator.columns // int(designs.columns_per_weight[0, 0])
    columns = weights * int(designs.columns_per_weight[0, 0])

    def only(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return float(np.broadcast_to(values, (1, 1))[0, 0])

    access_ns = only(converter.slots * converter.slot_ns)
    tile = sum(only(um2) for um2 in tile_um2(designs).values())
    array = sum(only(um2) for um2 in array_um2(designs, converter).values())
    area_mm2 = (tiles * tile + arrays * array) * 1e-6 + accelerator.fabric.links_mm2
    access_pj = {
        "row_drivers": accelerator.rows * only(row_drive_pj(designs)),
        "cells": 0.5 * accelerator.rows * columns * only(converter.cell_pj),
        "columns": columns * only(converter.column_pj),
        "adc": columns * only(converter.conversion_pj),
        "shift_add": columns * only(converter.shift_add_pj),
        "adc_ranges": columns * only(ranges.switching_pj),
        "step_multipliers": columns * only(ranges.multiply_pj),
        "row_counters": only(ranges.count_pj),
        "adder_trees": weights * only(converter.tree_pj),
    }
    products = accelerator.rows * weights
    return Peak(
        tops=2.0 * arrays * products / (access_ns * input_bits) * 1e-3,
        area_mm2=area_mm2,
        access_pj=access_pj,
        fj_per_mac=sum(access_pj.values()) / products * 1e3,
        access_ns=access_ns,
    )
