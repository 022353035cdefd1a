"""Our figures beside those that other tools and papers print: what ``aster-dse hardware validate`` shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from aster_dse.activity import InferenceActivity
from aster_dse.activity.uniform import uniform_activity
from aster_dse.hardware.architecture import resolve
from aster_dse.hardware.baselines.imc_array import analog_cycle, digital_cycle
from aster_dse.hardware.baselines.operations import convention_pj
from aster_dse.hardware.baselines.spikesim import SPIKESIM_VGG9, spikesim
from aster_dse.hardware.converters import murmann_area_um2, murmann_energy_pj, sar_energy_pj
from aster_dse.hardware.cost import estimate
from aster_dse.hardware.library import load_library
from aster_dse.hardware.peak import peak
from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import HardwareConfig, NetworkConfig

__all__ = ["Agreement", "array_energies_uj", "array_energy_uj", "transformer_block", "validation"]


@dataclass(frozen=True)
class Agreement:
    """One figure of somebody else, and ours."""

    what: str
    unit: str
    theirs: float
    ours: float
    tolerance: float
    """Relative; 0 where the figure is one of a formula of theirs and must be reached to its last digit."""
    source: str

    @property
    def difference(self) -> float:
        """Relative to theirs."""
        return self.ours / self.theirs - 1.0

    @property
    def agrees(self) -> bool:
        """Within the tolerance."""
        return abs(self.difference) <= self.tolerance


def validation() -> tuple[Agreement, ...]:
    """Every figure that can be computed here."""
    return (
        *_spikesim(),
        *_converters(),
        *_zigzag(),
        *_own_arrays(),
        *_isaac(),
        *_operations(),
        *_neurosim(),
    )


def _spikesim() -> Iterator[Agreement]:
    source = "SpikeSim (TCAD 2023), its script run on its VGG9 for CIFAR-10, 250 MHz"
    for crossbar, steps, theirs in (
        (64, 5, 15.906934),
        (128, 5, 13.978902),
        (64, 1, 3.181387),
        (64, 4, 12.725547),
    ):
        found = spikesim(SPIKESIM_VGG9, timesteps=steps, crossbar=crossbar)
        what = f"SpikeSim energy, crossbars of {crossbar}, T={steps}"
        yield Agreement(what, "uJ", theirs, found.energy_uj, 1e-6, source)
    found = spikesim(SPIKESIM_VGG9, timesteps=5)
    yield Agreement("SpikeSim latency, T=5", "ms", 62.832640, found.latency_ns * 1e-6, 1e-6, source)
    yield Agreement("SpikeSim crossbars of 64", "", 48, found.elements, 0.0, source)
    yield Agreement("SpikeSim tiles", "", 6, found.tiles, 0.0, source)
    layers = (4.2418, 1.0605, 2.1209, 1.0605, 2.1209, 4.2418, 1.0605)
    for number, (theirs, ours) in enumerate(zip(layers, found.energy_pj_by_layer, strict=True), 1):
        yield Agreement(f"SpikeSim energy of layer {number}", "uJ", theirs, ours * 1e-6, 5e-5, source)


def _converters() -> Iterator[Agreement]:
    source = "accelergy ADC plug-in at 100 MHz"
    for node, figures in ((65, (3.50, 4.04, 6.49)), (32, (0.924, 1.065, 1.714))):
        for bits, theirs in zip((4, 6, 8), figures, strict=True):
            ours = float(murmann_energy_pj(bits, 1e8, node))
            yield Agreement(f"survey ADC, {bits} bits, {node} nm", "pJ", theirs, ours, 0.01, source)
    for bits, theirs in ((4, 3274.0), (8, 3939.0)):
        ours = float(murmann_area_um2(murmann_energy_pj(bits, 1e8, 32), 1e8, 32))
        yield Agreement(f"survey ADC, {bits} bits, 32 nm", "um2", theirs, ours, 0.01, source)
    sar = load_library("neurosim").sar
    assert sar is not None
    for levels, theirs in ((16, 0.108), (32, 0.136), (64, 0.167)):
        bits = levels.bit_length() - 1
        column = 10.0e3 ** (sar.d[32] / math.log(10.0)) * sar.c_w[32] * 1e3 * (bits + 1)
        ours = float(sar_energy_pj(levels, sar.a_uw[32] * 1e-3, sar.b_uw[32] * 1e-3)) + column
        yield Agreement(
            f"SAR ADC, {levels} levels, 32 nm, column of 10 kOhm",
            "pJ",
            theirs,
            ours,
            0.01,
            "NeuroSim V1.4, LSTP",
        )


def _zigzag() -> Iterator[Agreement]:
    source = "ZigZag-IMC (zigzag-dse), 28 nm, 0.9 V, one-bit inputs"
    array = analog_cycle(128, 128, weight_bits=8, adc_bits=6)
    name = "ZigZag analog array 128 x 128, 8-bit weights, 6-bit ADC"
    for part, theirs in (
        ("adc", 501.06),
        ("multipliers", 37.16),
        ("bit_lines", 37.16),
        ("place_value_adders", 27.00),
    ):
        yield Agreement(
            f"{name}: {part.replace('_', ' ')}", "pJ/cycle", theirs, array.energy_pj[part], 1e-3, source
        )
    yield Agreement(f"{name}: cycle", "ns", 10.24, array.time_ns, 1e-3, source)
    yield Agreement(f"{name}: efficiency", "TOPS/W", 54.40, array.tops_per_w, 1e-3, source)
    for what, theirs, cycle in (
        (name, 36.77, array),
        ("the same, 4-bit weights", 18.2, analog_cycle(128, 128, weight_bits=4, adc_bits=6)),
        ("the same, 256 x 256, 8-bit ADC", 27.5, analog_cycle(256, 256, weight_bits=8, adc_bits=8)),
        ("ZigZag digital array 128 x 128, 8-bit weights", 32.5, digital_cycle(128, 128, weight_bits=8)),
    ):
        yield Agreement(what, "fJ/MAC", theirs, cycle.fj_per_mac, 5e-3, source)


def _own_arrays() -> Iterator[Agreement]:
    """The accelerator's own model of an array, with ZigZag's library."""
    source = "ZigZag-IMC (zigzag-dse), 28 nm, 0.9 V, one-bit inputs; library zigzag-imc-28nm"
    analog = peak(resolve(HardwareConfig(base="zigzag-aimc-28nm")))
    name = "our array as ZigZag's, 128 x 128, 8-bit weights, 6-bit ADC"
    for part, theirs in (("adc", 501.06), ("cells", 37.16), ("columns", 37.16), ("shift_add", 27.00)):
        what = f"{name}: {part.replace('_', ' ')}"
        yield Agreement(what, "pJ/cycle", theirs, analog.access_pj[part], 0.05, source)
    yield Agreement(f"{name}: efficiency", "TOPS/W", 54.40, analog.tops_per_w, 0.05, source)
    for what, theirs, base, knobs in (
        (name, 36.77, "zigzag-aimc-28nm", {}),
        ("the same, 4-bit weights", 18.2, "zigzag-aimc-28nm", {"weight_bits": 4, "columns": 512}),
        ("the same, 256 rows, 8-bit ADC", 27.5, "zigzag-aimc-28nm", {"rows": 256, "adc_levels": 256}),
        ("our digital array as ZigZag's, 128 x 128, 8-bit weights", 32.5, "zigzag-dimc-28nm", {}),
    ):
        design = resolve(HardwareConfig.model_validate({"base": base, **knobs}))
        yield Agreement(what, "fJ/MAC", theirs, peak(design).fj_per_mac, 0.05, source)


def _isaac() -> Iterator[Agreement]:
    """With the LIF, attention and pooling units that a spiking transformer needs beside ISAAC's own."""
    source = (
        "ISAAC (ISCA 2016), computational efficiency of ISAAC-CE; preset and library isaac-32nm, 168 tiles"
    )
    design = resolve(HardwareConfig(base="isaac-32nm", tiles=168))
    ours = peak(design, input_bits=16)
    what = "ISAAC: peak operations over area"
    yield Agreement(what, "GOPS/s/mm2", 479, ours.gops_per_mm2, 0.1, source)


def _operations() -> Iterator[Agreement]:
    """With the mean firing rates that explain 8-512: 0.0293 in the stem, 0.2117 in the blocks."""
    source = "Spike-driven Transformer (NeurIPS 2023), ImageNet, T=4; rates fitted to 8-512"
    for depth, theirs in ((6, 3.56), (8, 4.50), (10, 5.53)):
        geometry = _transformer(depth, timesteps=4)
        rates = {
            layer.name: 0.0293
            if layer.name.startswith("stem.")
            else 0.2117
            if layer.block is not None
            else 0.0
            for layer in geometry.synaptic
        }
        ours = convention_pj(geometry, rates) * 1e-9
        yield Agreement(f"operations of SDT {depth}-512", "mJ", theirs, ours, 0.02, source)


def _neurosim() -> Iterator[Agreement]:
    """With its own library, and 2-bit cells, of which the run does not tell the number."""
    source = (
        "NeuroSim V1.4, linear layers of an SDT-8-512 block, 196 tokens, RRAM 32 nm, rate 0.2; preset "
        "neurosim-rram-32nm"
    )
    base = "neurosim-rram-32nm"
    yield Agreement("NeuroSim: energy of a block", "uJ", 3.996, array_energy_uj(base=base), 0.15, source)
    share = array_energies_uj(base=base)["adc"] / array_energy_uj(base=base)
    yield Agreement("NeuroSim: share of the converters", "", 0.49, share, 0.15, source)
    for what, theirs, one, other in (
        ("energy of 64 over 16 levels", 2.05, {"adc_levels": 64}, {"adc_levels": 16}),
        ("energy of 64 x 64 over 256 x 256", 3.0, {"rows": 64, "columns": 64}, {"rows": 256, "columns": 256}),
        ("energy at 65 over 22 nm", 5.2, {"node_nm": 65}, {"node_nm": 22}),
    ):
        ours = array_energy_uj(base=base, **one) / array_energy_uj(base=base, **other)
        yield Agreement(f"NeuroSim trend: {what}", "", theirs, ours, 0.15, source)
    ours = array_energy_uj(0.5, base=base) / array_energy_uj(0.05, base=base)
    yield Agreement("NeuroSim trend: energy at rate 0.5 over 0.05", "", 1.38, ours, 0.15, source)


_ARRAY_COMPONENTS = (
    "row_drivers",
    "row_switches",
    "cells",
    "columns",
    "adc",
    "shift_add",
    "adder_trees",
    "accumulators",
    "input_registers",
)


def _transformer(depth: int, timesteps: int) -> NetworkGeometry:
    config = NetworkConfig(width=512, depth=depth, pooling="1111")
    return network_geometry(config, in_channels=3, resolution=224, classes=1000, timesteps=timesteps)


def transformer_block(rate: float) -> tuple[NetworkGeometry, InferenceActivity]:
    """One SDT-8-512 block, one step; every linear layer reads spikes of one rate, the projection too."""
    geometry = _transformer(1, timesteps=1)
    activity = uniform_activity(geometry, rate)
    names = [layer.name for layer in geometry.synaptic]
    for name in ("driven_rows", "active_windows", "active_accesses"):
        counts = getattr(activity, name).copy()
        counts[:, names.index("block.0.proj")] = counts[:, names.index("block.0.q")]
        activity = replace(activity, **{name: counts})
    return geometry, activity


def array_energies_uj(rate: float = 0.2, **knobs: Any) -> dict[str, float]:
    """Energy of the arrays of the block's linear layers by component, on an accelerator with these knobs."""
    cost = estimate(*transformer_block(rate), resolve(HardwareConfig.model_validate(knobs)))[0]
    return {
        component: 1e-6
        * sum(
            pj
            for layer, pj in cost.energy_pj[component].items()
            if layer.startswith("block.0.") and not layer.endswith("sdsa")
        )
        for component in _ARRAY_COMPONENTS
    }


def array_energy_uj(rate: float = 0.2, **knobs: Any) -> float:
    """Their sum."""
    return sum(array_energies_uj(rate, **knobs).values())
