"""The column read-out of each design: its converters chosen by kind, with the slot one conversion takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.converters import (
    flash_energy_pj,
    murmann_area_um2,
    murmann_energy_pj,
    sar_energy_pj,
)
from aster_dse.hardware.designs import DesignTable

__all__ = ["ReadOut", "read_out"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReadOut:
    """``[K, 1]`` per design."""

    conversion_pj: Array
    cell_pj: Array
    """Per conducting cell while its column is converted."""
    converter_um2: Array
    slot_ns: Array
    """Whole clock cycles, as many as the converter needs."""
    period_ns: Array


def read_out(designs: DesignTable) -> ReadOut:
    """Evaluate the three converter models and take each design's own."""
    get, levels, kind = designs.gather_converter, designs.adc_levels, designs.adc_kind
    bits, frequency = np.log2(levels), designs.clock_mhz * 1e6
    node = get("node_nm")
    survey_pj = murmann_energy_pj(bits, frequency, node)
    flash_um2 = 10.0 ** (get("flash_area_intercept") + get("flash_area_slope") * bits) * levels
    sar_um2 = np.take_along_axis(get("sar_um2"), bits.astype(np.int64)[:, None], axis=1)[:, 0]
    period = 1e3 / designs.clock_mhz
    duration = np.choose(kind, [get("flash_ns"), get("sar_cycle_ns") * (bits + 1.0), period])
    # A hair of tolerance, so that 6 ns at 500 MHz are 3 cycles whatever the rounding.
    slot = np.maximum(np.ceil(duration / period - 1e-9), 1.0) * period
    cells = [get("flash_cell_pj"), get("sar_cell_pj") * (bits + 1.0), designs.gather("cell_read_pj")[:, 0]]
    energies = [
        flash_energy_pj(levels, get("flash_level_pj")),
        sar_energy_pj(levels, get("sar_a_pj"), get("sar_b_pj")),
        survey_pj,
    ]
    areas = [flash_um2 * get("flash_area_factor"), sar_um2, murmann_area_um2(survey_pj, frequency, node)]
    return ReadOut(
        conversion_pj=np.choose(kind, energies)[:, None],
        cell_pj=np.choose(kind, cells)[:, None],
        converter_um2=np.choose(kind, areas)[:, None],
        slot_ns=slot[:, None],
        period_ns=period[:, None],
    )
