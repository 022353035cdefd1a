"""Hardware: what an inference costs on an accelerator of processing-in-memory tiles."""

from aster_dse.hardware.architecture import Accelerator, resolve
from aster_dse.hardware.area import AREA_COMPONENTS
from aster_dse.hardware.cost import CostTable, HardwareCost, estimate, estimate_many
from aster_dse.hardware.designs import DesignTable
from aster_dse.hardware.energy import ENERGY_COMPONENTS
from aster_dse.hardware.grid import DesignGrid, estimate_grid
from aster_dse.hardware.library import Library, library_names, load_library
from aster_dse.hardware.preset_files import Fabric, preset_names

__all__ = [
    "AREA_COMPONENTS",
    "ENERGY_COMPONENTS",
    "Accelerator",
    "CostTable",
    "DesignGrid",
    "DesignTable",
    "Fabric",
    "HardwareCost",
    "Library",
    "estimate",
    "estimate_grid",
    "estimate_many",
    "library_names",
    "load_library",
    "preset_names",
    "resolve",
]
