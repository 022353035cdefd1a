"""Run NeuroSim's arrays for every cell of the libraries, and store what they take with the cells' files.

    python benchmarks/neurosim_table.py aster_dse/hardware/baselines/arrays/neurosim.json

Needs ``hwcomponents-neurosim`` (Python 3.12 or later), which brings NeuroSim V1.3 with the package's own main
program, in source and compiled: where the compiled one does not start, copy ``NeuroSIM`` and over it
``drop_in`` into a folder, run ``make`` there and put ``main`` into the package's folder ``NeuroSim``. Takes
minutes.

Per cell and node: arrays of several sizes without converter (row drive with no row and all rows active, per
row; column; a conducting cell), and arrays of 128 x 128 with multilevel sense amplifiers of several levels.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hwcomponents_neurosim.main as neurosim  # type: ignore[import-not-found, unused-ignore]

CELLS: dict[str, dict[str, float]] = {
    "aster-mixed/rram": {"on_ohm": 6e3, "off_ohm": 900e3, "read_v": 0.5, "mean_level": 0.25},
    "aster-mixed/rram-neurram": {"on_ohm": 250e3, "off_ohm": 1e6, "read_v": 0.5, "mean_level": 0.25},
    "aster-mixed/pcm": {"on_ohm": 40e3, "off_ohm": 10e6, "read_v": 0.2, "mean_level": 0.25},
    "neurosim/rram": {"on_ohm": 100e3, "off_ohm": 1.7e6, "read_v": 0.51, "mean_level": 0.5},
}
NODES_NM = (65, 45, 32, 28, 22)
SIZES = (64, 128, 256)
LEVEL_BITS = (2, 3, 4, 5, 6, 7)
PULSE_S = 1e-8


def cell_file(cell: dict[str, float]) -> str:
    """4 F x 12 F, the access transistor 6 F wide, its resistance a quarter of the least of the cell."""
    return (
        "-MemCellType: memristor\n-CellArea (F^2): 48\n-CellAspectRatio: 0.333333\n-AccessType: CMOS\n"
        "-AccessCMOSWidth (F): 6\n"
        f"-ResistanceOnAtReadVoltage (ohm): {cell['on_ohm']:.0f}\n"
        f"-ResistanceOffAtReadVoltage (ohm): {cell['off_ohm']:.0f}\n"
        f"-AccessTransistorResistance (ohm): {cell['on_ohm'] / 4:.0f}\n"
        f"-ReadMode: voltage\n-ReadVoltage (V): {cell['read_v']}\n"
        "-SetVoltage (V): 2.0\n-SetPulse (ns): 50\n"
    )


def read_pj(kind: str, path: Path, node_nm: int, size: int, **given: float) -> float:
    neurosim.CACHE.clear()  # it does not know one cell file from another
    knobs: dict[str, Any] = {
        "tech_node": node_nm * 1e-9,
        "cycle_period": 1e-9,
        "rows": size,
        "cols": size,
        "cols_active_at_once": size // 8,
        "cell_config": str(path),
        "average_input_value": 1.0,
        "average_cell_value": 0.5,
        "read_pulse_width": PULSE_S,
        **given,
    }
    component = getattr(neurosim, kind)(**knobs)
    found = component.query_neurosim(component._get_component_name(), component.logger)
    return float(f"{found['Read Energy'] * 1e12:.5g}")


def array(path: Path, cell: dict[str, float], node: int) -> dict[str, Any]:
    level = cell["mean_level"]
    return {
        "row_pj": {n: read_pj("RowDrivers", path, node, n) for n in SIZES},
        "silent_row_pj": {n: read_pj("RowDrivers", path, node, n, average_input_value=0.0) for n in SIZES},
        "column_pj": {n: read_pj("ColDrivers", path, node, n, average_cell_value=level) for n in SIZES},
        "cell_pj": read_pj("MemoryCell", path, node, 128),
        "converters": {
            2**bits: {
                "conversion_pj": read_pj(
                    "ADC", path, node, 128, adc_resolution=bits, average_cell_value=level
                ),
                "cell_pj": read_pj(
                    "MemoryCell", path, node, 128, adc_resolution=bits, average_cell_value=level
                ),
            }
            for bits in LEVEL_BITS
        },
    }


def main(path: Path) -> None:
    arrays: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, cell in CELLS.items():
            file = Path(folder) / f"{name.replace('/', '-')}.cell"
            file.write_text(cell_file(cell))
            arrays[name] = {
                **cell,
                "cell_file": cell_file(cell).splitlines(),
                "at_nm": {node: array(file, cell, node) for node in NODES_NM},
            }
            print(name, flush=True)
    document = {
        "source": f"NeuroSim V1.3 as hwcomponents-neurosim {version('hwcomponents-neurosim')} runs it",
        "conditions": "read pulse 10 ns, low-power devices, multilevel sense amplifiers shared by 8 columns; "
        "row_pj, silent_row_pj and column_pj by rows and columns of a square array; cell_pj at half "
        "conductance without a converter, at mean_level with one; 28 nm between 22 and 32 as the package "
        "interpolates",
        "arrays": arrays,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
