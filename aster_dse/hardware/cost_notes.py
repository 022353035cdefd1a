"""What a reader should know of a cost: reloads, clamps, figures beyond what was modelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.architecture import Accelerator
from aster_dse.hardware.converters import MURMANN_MINIMUM_BITS
from aster_dse.hardware.technology import SRAM_KIB
from aster_dse.space.layers import layer_matches

__all__ = ["cost_notes"]


def cost_notes(
    design: Accelerator,
    layers: Sequence[str],
    *,
    area_mm2: float,
    tiles: int,
    tiles_needed: int,
    membrane_kib: NDArray[np.float64],
) -> tuple[str, ...]:
    """Notes on a design with what it costs for one network.

    Args:
        layers: names of the network's synaptic layers.
        membrane_kib: ``[layers]`` of each memory of a layer's membranes.
    """
    notes = list(design.notes)
    for pattern, _ in design.layers:
        if not any(layer_matches(pattern, layer) for layer in layers):
            notes.append(f"hardware.layers: {pattern} means no layer of this network")
    budget = design.area_budget_mm2
    if budget is not None and area_mm2 > budget:
        notes.append(
            f"the area budget of {budget:g} mm2 does not even hold {tiles} tiles and the memory of all "
            "membranes"
        )
    if tiles_needed > tiles:
        notes.append(
            f"the weights need {tiles_needed} tiles and the chip has {tiles}: what does not fit is written "
            "anew in every time step, its energy and time are counted"
        )
    if design.adc_kind == "murmann" and design.adc_levels < 2**MURMANN_MINIMUM_BITS:
        notes.append(
            f"the converter survey starts at {2**MURMANN_MINIMUM_BITS} levels: {design.adc_levels} levels "
            "cost the same"
        )
    if len(layers) and membrane_kib.max() > SRAM_KIB[-1]:
        largest = int(np.argmax(membrane_kib))
        notes.append(
            f"the membranes of {layers[largest]} take memories of {membrane_kib[largest] / 1024:.3g} MiB: "
            f"they are priced as banks of {SRAM_KIB[-1] / 1024:g} MiB, the largest memory that was modelled"
        )
    return tuple(notes)
