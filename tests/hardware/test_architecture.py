"""Which accelerators exist, and why the others do not."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aster_dse.errors import InputError
from aster_dse.hardware import DesignTable, preset_names, resolve
from aster_dse.hardware.components import Cell
from aster_dse.hardware.library import load_library
from aster_dse.space import CellConditions, HardwareConfig


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_resolves_with_every_knob_set(name: str) -> None:
    knobs = resolve(HardwareConfig(base=name)).knobs()
    assert set(knobs) == set(HardwareConfig.model_fields)
    assert {knob for knob, value in knobs.items() if value is None} <= {
        "tiles",
        "area_budget_mm2",
        "layers",
        "conditions",
        "validation_samples",
    }


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
        ("rows: 128", "rows: 0", r"mine\.yaml: line \d+: knobs\.rows: 0 is not one of 16, 32"),
        ("  rows: 128\n", "", r"mine\.yaml: line \d+: knobs\.rows: no value"),
        (
            "membrane_bits: 16",
            "membrane_bits: 2",
            r"mine\.yaml: line \d+: fabric\.membrane_bits: 2 is out of range",
        ),
        ("node_nm: 32", "node_nm: 90", r"mine\.yaml: line \d+: knobs\.node_nm: 90 is not one of 65"),
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


def test_an_older_file_says_columns_per_slice_and_means_the_kind_of_column(tmp_path: Path) -> None:
    shipped = (
        resources.files("aster_dse.hardware").joinpath("presets", "aster-rram-32nm.yaml").read_text("utf-8")
    )
    lines = [
        line for line in shipped.splitlines() if not line.strip().startswith(("adc_range", "column_kind"))
    ]
    own = tmp_path / "old.yaml"
    for columns, kind in ((1, "offset"), (2, "pair")):
        own.write_text("\n".join([*lines, f"  columns_per_slice: {columns}", ""]))
        design = resolve(HardwareConfig(base=str(own)))
        assert (design.column_kind, design.adc_range, design.adc_range_per) == (kind, "mse2", "slice")
    for text, problem in (
        (
            "\n".join([*lines, "  columns_per_slice: 3", ""]),
            r"fabric\.columns_per_slice: 3 is neither 1 nor 2",
        ),
        (shipped + "  columns_per_slice: 1\n", r"fabric\.columns_per_slice: knobs\.column_kind says it too"),
        ("\n".join([*lines, ""]), r"knobs\.column_kind: no value"),
        (shipped.replace("  rows: 128", "  rows: 128\n  arrays: real"), r"knobs\.arrays: .*leave it out"),
    ):
        own.write_text(text)
        with pytest.raises(InputError, match=rf"old\.yaml: (line \d+: )?{problem}"):
            resolve(HardwareConfig(base=str(own)))


def test_conditions_and_chips_are_resolved() -> None:
    plain = resolve(HardwareConfig())
    assert (plain.arrays, plain.conditions.ideal, plain.chips) == ("ideal", True, 1)
    assert (plain.knobs()["conditions"], plain.knobs()["chips"]) == (None, 1)
    noisy = resolve(HardwareConfig(arrays="real", conditions="variation=0.1"))
    assert (noisy.conditions.variation, noisy.chips, noisy.notes) == (0.1, 8, ())
    assert noisy.knobs()["conditions"] == "variation=0.1"
    assert resolve(HardwareConfig(arrays="real", conditions="variation=0.1", chips=3)).chips == 3
    assert "change nothing" in resolve(HardwareConfig(conditions="variation=0.1")).notes[0]


def test_conditions_of_the_cell_are_those_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    library = load_library("aster-mixed")
    cells = dict.fromkeys(library.cells)
    for name, cell in library.cells.items():
        cells[name] = cell.model_copy(update={"conditions": None, "conditions_source": None})
    rram = cells["rram"].model_copy(
        update={"conditions": "on_off=150 variation=0.05", "conditions_source": "x"}
    )
    known = library.model_copy(update={"cells": {**cells, "rram": rram}})
    monkeypatch.setattr("aster_dse.hardware.architecture.load_library", lambda _: known)
    design = resolve(HardwareConfig(conditions="cell"))
    assert design.conditions == CellConditions(on_off=150.0, variation=0.05)
    assert design.chips == 8
    with pytest.raises(
        InputError, match=r"hardware\.conditions: library aster-mixed has no conditions .*take cell rram"
    ):
        resolve(HardwareConfig(cell="pcm", conditions="cell"))


def test_conditions_of_a_cell_need_a_source_and_must_be_some() -> None:
    content = load_library("aster-mixed").cells["rram"].model_dump()
    content |= {"conditions": "variation=0.1", "conditions_source": None}
    with pytest.raises(ValueError, match="both conditions and conditions_source"):
        Cell.model_validate(content)
    with pytest.raises(ValueError, match="conditions: 'x' sets nothing"):
        Cell.model_validate({**content, "conditions": "x", "conditions_source": "a paper"})


def test_real_arrays_need_two_bits_for_a_weight() -> None:
    assert resolve(HardwareConfig(weight_bits=1)).weight_bits == 1
    with pytest.raises(InputError, match=r"hardware\.weight_bits: arrays: real .*at least 2"):
        resolve(HardwareConfig(weight_bits=1, arrays="real"))
    base = resolve(HardwareConfig(arrays="real"))
    assert list(DesignTable.vary(base, {"weight_bits": [1, 2]}).possible()) == [False, True]


def test_an_offset_column_halves_the_columns_of_a_weight() -> None:
    pair, offset = (DesignTable.stack([resolve(HardwareConfig(column_kind=k))]) for k in ("pair", "offset"))
    assert pair.columns_per_weight == 2 * offset.columns_per_weight
