"""The network on chip: what a router costs at any width of a flit, and a tile's bus at any length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.hardware.designs import DesignTable

__all__ = ["CROSSBAR_SHARE", "bus_bit_pj", "router_bit_pj", "router_um2"]

Array = NDArray[np.float64]

CROSSBAR_SHARE = 0.18
"""Of a router whose width the library gives, what its crossbar takes in area and in energy.

Area: a matrix crossbar is ports times width times wire pitch on both sides (ORION 2.0, Kahng et al., DATE
2009): with 5 ports, 256 bits and the semi-global pitch of CACTI 7, 4 F, 26,800 um2 at 32 nm, of ISAAC's
150,000. Energy: in the router of Hoskote et al. (IEEE Micro 27(5), 2007) the crossbar takes 15 of the 83 %
that links do not.
"""


def _per_reference_width(designs: DesignTable) -> Array:
    """``[K, 1]`` cost of a flit's bit over that at the library's width.

    Buffers, arbiters and clock go with the width; the wires of a crossbar get longer with it too.
    """
    relative = designs.flit_bits[:, None] / designs.gather("router_flit_bits")
    return np.asarray(1.0 - CROSSBAR_SHARE + CROSSBAR_SHARE * relative)


def router_bit_pj(designs: DesignTable) -> Array:
    """``[K, 1]`` energy of a bit of a flit in a router."""
    return np.asarray(designs.gather("router_bit_pj") * _per_reference_width(designs))


def router_um2(designs: DesignTable) -> Array:
    """``[K, 1]`` area of a tile's router."""
    relative = designs.flit_bits[:, None] / designs.gather("router_flit_bits")
    return np.asarray(designs.gather("router_um2") * relative * _per_reference_width(designs))


def bus_bit_pj(designs: DesignTable) -> Array:
    """``[K, 1]`` energy of a bit on a tile's bus, whose wire runs past all subarrays of the tile."""
    return np.asarray(designs.gather("bus_bit_pj") * designs.subarrays_per_tile[:, None])
