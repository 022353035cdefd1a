"""Which accelerators exist, and why the others do not."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aster_dse.errors import InputError
from aster_dse.hardware import DesignTable, preset_names, resolve
from aster_dse.space import HardwareConfig


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_resolves_with_every_knob_set(name: str) -> None:
    knobs = resolve(HardwareConfig(base=name)).knobs()
    assert set(knobs) == set(HardwareConfig.model_fields)
    assert {knob for knob, value in knobs.items() if value is None} <= {"tiles", "area_budget_mm2", "layers"}


def test_a_configuration_changes_only_what_it_names() -> None:
    base, changed = resolve(HardwareConfig()), resolve(HardwareConfig(rows=64, event_gating=False))
    difference = {k for k, v in base.knobs().items() if changed.knobs()[k] != v}
    assert difference == {"rows", "event_gating"}


IMPOSSIBLE: list[tuple[dict[str, Any], str, str, str]] = [
    ({"column_mux": 128, "columns": 64}, "column_mux", "128 columns per converter", "at most 64"),
    ({"column_mux": 7}, "column_mux", "7 does not divide", "one of 1, 2, 4, 8"),
    ({"columns": 8, "column_mux": 8, "cell_bits": 1}, "columns", "cannot hold one weight", "raise columns"),
    (
        {"rows": 1024, "buffer_kib": 1, "subarrays_per_tile": 64},
        "buffer_kib",
        "1 KiB cannot hold",
        "at least 8",
    ),
]


OF_THE_LIBRARY: list[tuple[dict[str, Any], str, str, str]] = [
    ({"adc_kind": "table"}, "adc_kind", "has no figures for 'table'", "one of flash, sar, murmann"),
    ({"cell": "sram"}, "cell", "has no cell 'sram'", "one of rram, rram-neurram, pcm"),
    ({"cell": "pcm", "cell_bits": 8}, "cell_bits", "holds 5 bits, not 8", "at most 5"),
    ({"tiles": 4, "area_budget_mm2": 3.0}, "area_budget_mm2", "and a number of tiles", "give one"),
    (
        {"layers": "block.*.fc1: column_mux=7"},
        "layers: block.0.fc1.column_mux",
        "7 does not divide",
        "one of 1, 2, 4, 8",
    ),
    (
        {"layers": "block.*.fc1: columns=64; block.2.*: column_mux=128"},
        "layers: block.2.fc1.column_mux",
        "128 columns per converter",
        "at most 64",
    ),
]


@pytest.mark.parametrize(("knobs", "knob", "problem", "remedy"), [*IMPOSSIBLE, *OF_THE_LIBRARY])
def test_an_impossible_design_is_refused_with_knob_value_and_remedy(
    knobs: dict[str, Any], knob: str, problem: str, remedy: str
) -> None:
    with pytest.raises(InputError) as error:
        resolve(HardwareConfig.model_validate(knobs))
    assert error.value.where == f"hardware.{knob}"
    assert problem in error.value.problem
    assert remedy in error.value.remedy


def test_an_unknown_base_is_refused_with_those_that_exist() -> None:
    with pytest.raises(
        InputError, match=r"hardware\.base: 'tpu' is no known preset \(one of aster-rram-32nm"
    ):
        resolve(HardwareConfig(base="tpu"))


def test_tables_of_designs_obey_the_same_rules() -> None:
    for knobs, *_ in IMPOSSIBLE:
        table = DesignTable.vary(resolve(HardwareConfig()), {name: [value] for name, value in knobs.items()})
        assert not table.possible()[0]
    assert DesignTable.stack([resolve(HardwareConfig())]).possible().all()


def test_a_varied_table_equals_its_stacked_accelerators() -> None:
    rows, kinds, nodes, gating = (
        [64, 128, 256],
        ["sar", "flash", "murmann"],
        [22, 65, 22],
        [True, False, True],
    )
    varied = DesignTable.vary(
        resolve(HardwareConfig()), {"rows": rows, "adc_kind": kinds, "node_nm": nodes, "event_gating": gating}
    )
    stacked = DesignTable.stack(
        [
            resolve(
                HardwareConfig.model_validate({"rows": r, "adc_kind": k, "node_nm": n, "event_gating": g})
            )
            for r, k, n, g in zip(rows, kinds, nodes, gating, strict=True)
        ]
    )
    for name in ("rows", "adc_kind", "event_gating", "clock_mhz", "columns"):
        np.testing.assert_array_equal(getattr(varied, name), getattr(stacked, name))
    np.testing.assert_array_equal(varied.gather("row_drive_pj"), stacked.gather("row_drive_pj"))


def test_a_table_refuses_names_that_are_no_knobs() -> None:
    with pytest.raises(ValueError, match="'row' is no knob"):
        DesignTable.vary(resolve(HardwareConfig()), {"row": [64]})
    with pytest.raises(ValueError, match="rows must be one of"):
        DesignTable.vary(resolve(HardwareConfig()), {"rows": [100]})


def test_a_users_own_accelerator_is_read_and_checked(tmp_path: Path) -> None:
    shipped = (
        resources.files("aster_dse.hardware").joinpath("presets", "aster-rram-32nm.yaml").read_text("utf-8")
    )
    own = tmp_path / "mine.yaml"
    own.write_text(shipped.replace("rows: 128", "rows: 64").replace("name: aster-rram-32nm", "name: mine"))
    assert resolve(HardwareConfig(base=str(own), column_mux=4)).rows == 64
    for old, new, problem in (
        ("rows: 128", "rows: 0", r"mine\.yaml: knobs\.rows: Input should be 16, .* found 0"),
        ("  rows: 128\n", "", r"mine\.yaml: knobs\.rows: no value"),
        ("membrane_bits: 16", "membrane_bits: 2", r"mine\.yaml: fabric\.membrane_bits: .* found 2"),
        ("node_nm: 32", "node_nm: 90", r"mine\.yaml: knobs\.node_nm: Input should be 65, .* found 90"),
    ):
        own.write_text(shipped.replace(old, new))
        with pytest.raises(InputError, match=problem):
            resolve(HardwareConfig(base=str(own)))
    with pytest.raises(InputError, match=r"hardware\.base: cannot read .*gone\.yaml"):
        resolve(HardwareConfig(base=str(tmp_path / "gone.yaml")))


def test_what_a_library_lacks_is_replaced_and_said_unless_it_is_asked_for() -> None:
    design = resolve(HardwareConfig(library="zigzag-imc-28nm"))
    assert (design.adc_kind, design.cell, design.cell_bits) == ("capacitive", "sram", 1)
    assert len(design.notes) == 3
    assert all("is taken" in note for note in design.notes)
    with pytest.raises(
        InputError, match=r"hardware\.adc_kind: library zigzag-imc-28nm has no figures for 'flash'"
    ):
        resolve(HardwareConfig(library="zigzag-imc-28nm", adc_kind="flash"))


def test_later_settings_of_a_layer_win() -> None:
    design = resolve(HardwareConfig(layers="stem.*: rows=64 adc_levels=8; stem.2: rows=32"))
    stem = design.of_layers([f"stem.{stage}" for stage in range(4)])
    assert [view.rows for view in stem] == [64, 64, 32, 64]
    assert stem[2].adc_levels == 8
    assert design.of_layers(["head"])[0].rows == 128
