"""The three converter models against the figures that their sources print."""

from __future__ import annotations

import numpy as np
import pytest

from aster_dse.hardware import DesignTable, load_library, resolve
from aster_dse.hardware.converters import (
    converter_technology,
    flash_energy_pj,
    murmann_area_um2,
    murmann_energy_pj,
    sar_energy_pj,
)
from aster_dse.hardware.readout import read_out
from aster_dse.space import HardwareConfig


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
    library = load_library("aster-mixed")
    sar, c = converter_technology(library, 32), library.sar
    column_pj = c.c_w[32] * np.exp(c.d[32] * np.log10(10e3)) * 1e3 * (np.log2(levels) + 1)
    total = sar_energy_pj(levels, sar.sar_a_pj, sar.sar_b_pj) + column_pj
    assert total == pytest.approx(energy_pj, rel=5e-3)


@pytest.mark.parametrize(("node", "alpha_uw"), [(65, 9.9579), (45, 7.7017), (32, 3.9648), (22, 1.8939)])
def test_flash_pays_alpha_for_every_level_for_one_nanosecond(node: int, alpha_uw: float) -> None:
    flash = converter_technology(load_library("aster-mixed"), node)
    assert flash_energy_pj(64, flash.flash_level_pj) == pytest.approx(alpha_uw * 63 * 1e-3, rel=1e-12)


def test_many_cells_cost_the_sum_of_single_cells() -> None:
    """The formulas' column term for n cells against n times that for one: the linear model's error."""
    library = load_library("aster-mixed")
    cell_ohm, n = 1.0 / library.cell.mean_siemens, 25
    flash = converter_technology(library, 32).flash_cell_pj
    exact = library.flash.beta_w[32] * np.exp(library.flash.gamma[32] * np.log10(cell_ohm / n)) * 1e3
    assert n * flash == pytest.approx(exact, rel=0.02)


def test_areas_follow_zigzag_and_isaac() -> None:
    flash = DesignTable.stack([resolve(HardwareConfig(node_nm=28, adc_kind="flash", adc_levels=32))])
    assert read_out(flash).converter_um2 == pytest.approx(10 ** (1.206 - 0.0369 * 5) * 32)
    for levels, area in ((16, 361), (256, 1200), (1024, 3002), (8, 361 * 361 / 477)):
        sar = DesignTable.stack([resolve(HardwareConfig(node_nm=32, adc_kind="sar", adc_levels=levels))])
        assert read_out(sar).converter_um2 == pytest.approx(area)


@pytest.mark.parametrize(
    ("kind", "levels", "clock_mhz", "slot_ns"),
    [
        ("flash", 32, 250.0, 4.0),
        ("flash", 32, 2000.0, 1.0),
        ("sar", 32, 500.0, 6.0),
        ("sar", 32, 250.0, 8.0),
        ("murmann", 256, 250.0, 4.0),
    ],
)
def test_a_conversion_takes_whole_cycles(kind: str, levels: int, clock_mhz: float, slot_ns: float) -> None:
    config = HardwareConfig.model_validate({"adc_kind": kind, "adc_levels": levels, "clock_mhz": clock_mhz})
    assert read_out(DesignTable.stack([resolve(config)])).slot_ns == pytest.approx(slot_ns)


@pytest.mark.parametrize("kind", ["flash", "sar", "murmann"])
@pytest.mark.parametrize("node", [65, 45, 32, 28, 22])
@pytest.mark.parametrize("clock_mhz", [10.0, 1000.0, 5000.0])
def test_more_levels_never_cost_less(kind: str, node: int, clock_mhz: float) -> None:
    table = DesignTable.vary(
        resolve(HardwareConfig()),
        {"adc_levels": 2 ** np.arange(1, 11), "adc_kind": kind, "node_nm": node, "clock_mhz": clock_mhz},
    )
    out = read_out(table)
    for figure in (out.conversion_pj, out.cell_pj, out.converter_um2, out.slot_ns):
        assert (np.diff(figure[:, 0]) >= 0).all()
