"""The converter models against the figures that their sources print."""

from __future__ import annotations

import numpy as np
import pytest

from aster_dse.hardware import DesignTable, load_library, resolve
from aster_dse.hardware.converters import (
    ADC_KINDS,
    ConverterTable,
    converter_table,
    flash_energy_pj,
    murmann_area_um2,
    murmann_energy_pj,
    sar_energy_pj,
)
from aster_dse.hardware.readout import ReadOut, read_out
from aster_dse.hardware.technology import technology
from aster_dse.space import HardwareConfig

FLASH, SAR = ADC_KINDS.index("flash"), ADC_KINDS.index("sar")


def tabulated(name: str, node_nm: int) -> ConverterTable:
    library = load_library(name)
    return converter_table(library, next(iter(library.cells.values())), node_nm, 7e-3)


def of(**knobs: object) -> ReadOut:
    return read_out(DesignTable.stack([resolve(HardwareConfig.model_validate(knobs))]))


@pytest.mark.parametrize(
    ("node", "bits", "energy_pj"),
    [(65, 4, 3.50), (65, 6, 4.04), (65, 8, 6.49), (32, 4, 0.924), (32, 6, 1.065), (32, 8, 1.714)],
)
def test_survey_energy_at_100_mhz(node: int, bits: int, energy_pj: float) -> None:
    """accelergy ADC plug-in; agreement to the digits it prints."""
    assert murmann_energy_pj(bits, 1e8, node) == pytest.approx(energy_pj, rel=2e-3)


@pytest.mark.parametrize(("bits", "area_um2"), [(4, 3274), (8, 3939)])
def test_survey_area_at_100_mhz_and_32_nm(bits: int, area_um2: float) -> None:
    energy = murmann_energy_pj(bits, 1e8, 32)
    assert murmann_area_um2(energy, 1e8, 32) == pytest.approx(area_um2, rel=1e-3)


@pytest.mark.parametrize(("levels", "energy_pj"), [(16, 0.108), (32, 0.136), (64, 0.167)])
def test_sar_energy_into_a_column_of_10_kohm(levels: int, energy_pj: float) -> None:
    """NeuroSim V1.4 at 32 nm; the column term of the library belongs to one cell, so it is put back here."""
    c = load_library("aster-mixed").sar
    assert c is not None
    bits = int(np.log2(levels))
    column_pj = c.c_w[32] * np.exp(c.d[32] * np.log10(10e3)) * 1e3 * (bits + 1)
    own = tabulated("aster-mixed", 32).conversion_pj[SAR, bits]
    assert own == pytest.approx(float(sar_energy_pj(levels, 1.1294e-3, 8.8998e-3)))
    assert own + column_pj == pytest.approx(energy_pj, rel=5e-3)


@pytest.mark.parametrize(("node", "alpha_uw"), [(65, 9.9579), (45, 7.7017), (32, 3.9648), (22, 1.8939)])
def test_flash_pays_alpha_for_every_level_for_one_nanosecond(node: int, alpha_uw: float) -> None:
    conversion = tabulated("aster-mixed", node).conversion_pj[FLASH, 6]
    assert conversion == pytest.approx(alpha_uw * 63 * 1e-3, rel=1e-12)
    assert conversion == pytest.approx(float(flash_energy_pj(64, alpha_uw * 1e-3)), rel=1e-12)


def test_many_cells_cost_the_sum_of_single_cells() -> None:
    """The formulas' column term for n cells against n times that for one: the linear model's error."""
    library = load_library("neurosim")
    flash = library.flash
    assert flash is not None
    cell_ohm, n = 1.0 / library.cells["rram"].mean_siemens, 25
    own = tabulated("neurosim", 32).cell_pj[FLASH, 5]
    exact = flash.beta_w[32] * np.exp(flash.gamma[32] * np.log10(cell_ohm / n)) * 1e3
    assert n * own == pytest.approx(exact, rel=0.02)


def test_a_cell_that_was_run_with_a_flash_converter_has_its_own_energy() -> None:
    """The column term knows no read voltage; at a node that was not run it is scaled."""
    own = tabulated("aster-mixed", 32).cell_pj[FLASH]
    assert own == pytest.approx(2.397e-3)
    library = load_library("aster-mixed")
    pcm = technology(library, 32, "pcm").converters.cell_pj[FLASH, 5]
    assert pcm == pytest.approx(0.1563e-3)


def test_areas_follow_zigzag_and_isaac() -> None:
    flash = of(node_nm=28, adc_kind="flash", adc_levels=32)
    assert flash.converter_um2 == pytest.approx(10 ** (1.206 - 0.0369 * 5) * 32)
    for levels, area in ((16, 361), (256, 1200), (1024, 3002), (8, 361 * 361 / 477)):
        assert of(node_nm=32, adc_kind="sar", adc_levels=levels).converter_um2 == pytest.approx(area)


def test_isaacs_table_is_read_as_it_is() -> None:
    for levels, energy, area in ((16, 0.79, 361), (256, 1.67, 1200), (1024, 2.38, 3002)):
        out = of(base="isaac-32nm", adc_levels=levels)
        assert out.conversion_pj == pytest.approx(energy)
        assert out.converter_um2 == pytest.approx(area)
        assert out.slots * out.slot_ns == pytest.approx(100.0)


def test_a_capacitive_converter_waits_for_the_rows() -> None:
    """ZigZag-IMC: b (0.00653 rows + 0.640) ns, (100 b + 0.001 4^b) fF V^2; at a cycle of 1 / 1.5 ns."""
    for rows, bits in ((64, 5), (256, 8)):
        out = of(base="zigzag-aimc-28nm", rows=rows, adc_levels=2**bits, clock_mhz=1500.0)
        duration = bits * (0.00653 * rows + 0.640)
        assert duration <= out.slot_ns < duration + 1 / 1.5
        assert out.conversion_pj == pytest.approx((100 * bits + 0.001 * 4**bits) * 0.81e-3)


@pytest.mark.parametrize(
    ("kind", "levels", "clock_mhz", "slot_ns"),
    [
        ("flash", 32, 250.0, 4.0),
        ("flash", 32, 1250.0, 1.6),
        ("sar", 32, 500.0, 6.0),
        ("sar", 32, 250.0, 8.0),
        ("murmann", 256, 250.0, 4.0),
    ],
)
def test_a_conversion_takes_whole_cycles(kind: str, levels: int, clock_mhz: float, slot_ns: float) -> None:
    assert of(adc_kind=kind, adc_levels=levels, clock_mhz=clock_mhz).slot_ns == pytest.approx(slot_ns)


@pytest.mark.parametrize(
    ("library", "kind"),
    [
        ("aster-mixed", "flash"),
        ("aster-mixed", "sar"),
        ("aster-mixed", "murmann"),
        ("isaac-32nm", "table"),
        ("zigzag-imc-28nm", "capacitive"),
    ],
)
@pytest.mark.parametrize("node", [65, 45, 32, 28, 22])
@pytest.mark.parametrize("clock_mhz", [10.0, 1000.0, 5000.0])
def test_more_levels_never_cost_less(library: str, kind: str, node: int, clock_mhz: float) -> None:
    table = DesignTable.vary(
        resolve(HardwareConfig(library=library)),
        {"adc_levels": 2 ** np.arange(1, 11), "adc_kind": kind, "node_nm": node, "clock_mhz": clock_mhz},
    )
    out = read_out(table)
    for figure in (out.conversion_pj, out.cell_pj, out.converter_um2, out.shift_add_pj, out.slot_ns):
        assert (np.diff(figure[:, 0]) >= 0).all()


def test_a_digital_array_has_no_converter_but_adder_trees() -> None:
    """ZigZag-IMC: N (w + 1) - (w + log2 N + 1) full adders of 3.402 fJ to a weight of w bits."""
    out = of(base="zigzag-dimc-28nm", rows=64, weight_bits=4)
    assert out.conversion_pj == out.converter_um2 == out.shift_add_pj == out.column_pj == 0
    assert out.tree_pj == pytest.approx((64 * 5 - (4 + 6 + 1)) * 3.402e-3)
    assert out.slots == 1


@pytest.mark.parametrize(
    ("library", "kind", "energy_pj", "area_um2"),
    [
        # alpha (L - 1) uW for 1 ns, alpha 3.9648 at 32 nm; 10^(1.206 - 0.0369 b) 2^b um2 from 28 nm
        ("aster-mixed", "flash", (2.0260, 4.0560), (4672.9, 8584.5)),
        # (1.1294 b + 8.8998) (b + 1) fJ; ISAAC's table
        ("aster-mixed", "sar", (0.19064, 0.22213), (1828.0, 3002.0)),
        ("isaac-32nm", "table", (1.97, 2.38), (1828.0, 3002.0)),
    ],
)
def test_converters_of_512_and_1024_levels(
    library: str, kind: str, energy_pj: tuple[float, float], area_um2: tuple[float, float]
) -> None:
    for levels, energy, area in zip((512, 1024), energy_pj, area_um2, strict=True):
        found = of(library=library, adc_kind=kind, adc_levels=levels, node_nm=32)
        assert found.conversion_pj == pytest.approx(energy, rel=1e-4)
        assert found.converter_um2 == pytest.approx(area, rel=1e-4)


def test_the_capacitive_converter_of_1024_levels_is_dominated_by_its_noise_term() -> None:
    """(100 x 10 + 0.001 x 4^10) fF at 0.9 V and 28 nm."""
    found = of(library="zigzag-imc-28nm", adc_kind="capacitive", adc_levels=1024, node_nm=28)
    assert found.conversion_pj == pytest.approx((1000.0 + 1048.576) * 0.81e-3)
