"""Memories and arrays beside the tools that model them: part of ``aster-dse hardware validate``.

The tools' figures are stored with their version; ``benchmarks/cacti_table.py`` and
``benchmarks/neurosim_table.py`` made them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.architecture import resolve
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.readout import read_out
from aster_dse.hardware.sram import sram_area_um2, sram_leakage_mw, sram_read_pj, sram_write_pj
from aster_dse.hardware.units import row_drive_pj
from aster_dse.hardware.validation import Agreement
from aster_dse.space import HardwareConfig

__all__ = ["component_validation"]

_FOLDER = Path(__file__).parent / "baselines" / "arrays"
_ACTIVE = 0.2
"""Share of the rows with a spike."""


def component_validation() -> tuple[Agreement, ...]:
    """Every stored figure beside ours."""
    return (*_memories(), *_arrays())


def _memories() -> Iterator[Agreement]:
    """Where CACTI begins to divide a memory otherwise, its figures jump between two sizes of our table."""
    stored = json.loads((_FOLDER / "cacti.json").read_text("utf-8"))
    for memory in stored["memories"]:
        designs = DesignTable.stack([resolve(HardwareConfig(node_nm=memory["node_nm"]))])
        kib = np.array([[memory["bytes"] / 1024]])
        word = 64.0
        for what, unit, theirs, ours in (
            ("read", "pJ", memory["read_pj"], word * sram_read_pj(designs, kib)),
            ("write", "pJ", memory["write_pj"], word * sram_write_pj(designs, kib)),
            ("area", "mm2", memory["area_mm2"], sram_area_um2(designs, kib) * 1e-6),
            ("leakage", "uW", memory["leakage_uw"], sram_leakage_mw(designs, kib) * 1e3),
        ):
            name = f"SRAM of {_size(memory['bytes'])}, {memory['node_nm']} nm: {what}"
            yield Agreement(name, unit, theirs, _only(ours), 0.05, stored["source"])


def _arrays() -> Iterator[Agreement]:
    """One access of an array of 128 x 128 with a fifth of its rows active.

    Bits per cell change neither side: NeuroSim's cells have a mean conductance, whatever their bits, which
    only say how many columns a weight takes.
    """
    stored = json.loads((_FOLDER / "neurosim.json").read_text("utf-8"))
    for name, array in stored["arrays"].items():
        library, _, cell = name.partition("/")
        for node, figures in array["at_nm"].items():
            for levels, converter in figures["converters"].items():
                knobs = {"library": library, "cell": cell, "node_nm": int(node), "adc_levels": int(levels)}
                theirs = _theirs(figures, converter)
                ours = _access_pj({**knobs, "adc_kind": "flash"})
                what = f"array of {cell} cells of {library}, {node} nm, {levels} levels: access"
                yield Agreement(what, "pJ", theirs, ours, 0.15, stored["source"])


def _theirs(figures: dict[str, Any], converter: dict[str, float]) -> float:
    active, silent = 128 * _ACTIVE, 128 * (1 - _ACTIVE)
    rows = active * figures["row_pj"]["128"] + silent * figures["silent_row_pj"]["128"]
    return float(rows + 128 * (converter["conversion_pj"] + active * converter["cell_pj"]))


def _access_pj(knobs: dict[str, Any]) -> float:
    designs = DesignTable.stack([resolve(HardwareConfig.model_validate(knobs))])
    converter = read_out(designs)
    active, silent = 128 * _ACTIVE, 128 * (1 - _ACTIVE)
    get = designs.gather
    rows = active * row_drive_pj(designs) + silent * get("row_drive_fixed_pj")
    rows = rows + 128 * get("register_bit_pj")  # the flip-flop of a row is NeuroSim's too
    column = converter.column_pj + converter.conversion_pj + active * converter.cell_pj
    return _only(rows) + 128 * _only(column)


def _only(values: NDArray[np.float64]) -> float:
    return float(np.broadcast_to(values, (1, 1))[0, 0])


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024:g} KiB" if size_bytes % 512 == 0 else f"{size_bytes} bytes"
