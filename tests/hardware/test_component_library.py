"""Component libraries: provenance, scaling between nodes, and what a faulty file is told."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import yaml

from aster_dse.errors import InputError
from aster_dse.hardware import Library, library_names, load_library, resolve
from aster_dse.hardware.technology import technology
from aster_dse.space import HardwareConfig

SHIPPED = resources.files("aster_dse.hardware").joinpath("libraries", "aster-mixed.yaml").read_text("utf-8")


@pytest.mark.parametrize("name", library_names())
def test_every_entry_names_its_source(name: str) -> None:
    library = load_library(name)
    entries = [getattr(library, field) for field in Library.model_fields]
    entries = [entry for entry in entries if hasattr(entry, "source")]
    entries += library.cells.values()
    assert len(entries) > 20
    assert all(len(entry.source) > 10 for entry in entries)


def test_values_are_used_as_given_at_the_nodes_given() -> None:
    library = load_library("aster-mixed")
    for node, pj, fixed in ((65, 0.2012, 0.03253), (45, 0.09708, 0.01568), (32, 0.04963, 0.008035)):
        known = technology(library, node, "rram")
        assert known.row_drive_fixed_pj == fixed
        assert known.row_drive_pj * 128 + fixed == pytest.approx(pj)


def test_other_nodes_are_scaled_from_the_nearest() -> None:
    """28 nm from 32 nm for tables, 32 nm from 40 nm for Aladdin's entries, by Stillmaker's 1.0 V factors."""
    library = load_library("aster-mixed")
    assert technology(library, 28, "rram").adder_bit_pj * 16 == pytest.approx(0.0325 * 0.506 / 0.633)
    assert technology(library, 32, "rram").comparator_bit_pj * 32 == pytest.approx(0.0295 * 0.633 / 0.859)
    assert technology(library, 32, "rram").register_bit_um2 == pytest.approx(5.98 * 0.460 / 0.792)
    assert technology(library, 65, "rram").router_um2 == pytest.approx(37500 * 1.50 / 0.460)


def test_off_chip_memory_does_not_scale_with_the_chip() -> None:
    library = load_library("aster-mixed")
    assert {technology(library, node, "rram").dram_bit_pj for node in (65, 22)} == {8.0}


def test_every_figure_shrinks_or_stays_with_the_node() -> None:
    library = load_library("aster-mixed")
    nodes = [technology(library, node, "rram") for node in (65, 45, 32, 28, 22)]
    for name in (
        "row_drive_pj",
        "adder_bit_pj",
        "router_bit_pj",
        "cell_um2",
        "register_bit_um2",
        "gate_ns",
    ):
        values = [getattr(t, name) for t in nodes]
        assert values == sorted(values, reverse=True), name


def test_a_users_own_file_is_used(tmp_path: Path) -> None:
    document = yaml.safe_load(SHIPPED)
    document["name"] = "mine"
    document["adder_energy"]["at_nm"][32] *= 2
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    mine = resolve(HardwareConfig(library=str(path))).library
    assert mine.name == "mine"
    theirs = technology(load_library("aster-mixed"), 32, "rram").adder_bit_pj
    assert technology(mine, 32, "rram").adder_bit_pj == 2 * theirs
    assert mine.digest != load_library("aster-mixed").digest


def _edit(document: dict[str, object], path: str, value: object) -> None:
    *parents, last = path.split(".")
    inner = document
    for key in parents:
        inner = inner[key]  # type: ignore[assignment]
    if value is None:
        del inner[last]
    else:
        inner[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("adder_energy.source", None, "adder_energy.source: missing"),
        (
            "adder_energy.at_nm",
            {32: -1.0},
            "adder_energy.at_nm.32: -1.0 is out of range (>= 0)",
        ),
        ("adder_energy.unit", "um2", "adder_energy: unit must be pJ"),
        ("adder_energy.at_nm", {130: 1.0}, "stillmaker-2017 has no factor for 130 nm"),
        ("adder_energy.colour", "red", "adder_energy.colour: unknown key"),
        ("sram.capacity_kib", [1, 8], "has 210 values for 2 capacities"),
        ("row_drive_energy.fixed_at_nm", {32: 0.01}, "fixed_at_nm must have the nodes of at_nm"),
        ("cells.rram.sensed_pj", {130: 1.0}, "stillmaker-2017 has no factor for 130 nm"),
        ("supply_v", 0.5, "supply_v 0.5 is not in stillmaker-2017"),
        ("scaling", "moore", "scaling: 'moore' is no known scaling table (one of stillmaker-2017)"),
    ],
)
def test_a_faulty_file_is_refused_with_the_path_inside_it(
    tmp_path: Path, path: str, value: object, message: str
) -> None:
    document = yaml.safe_load(SHIPPED)
    _edit(document, path, value)
    file = tmp_path / "faulty.yaml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(InputError) as error:
        load_library(str(file))
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [1\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.yml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"odd\.yml"):
        load_library(str(file))


def test_an_unknown_library_is_refused_with_those_that_exist() -> None:
    with pytest.raises(
        InputError, match=r"hardware\.library: 'nope' is no known library \(one of aster-mixed"
    ):
        load_library("nope")
    with pytest.raises(InputError, match=r"hardware\.library: cannot read .*gone\.yaml: No such file"):
        load_library("/nowhere/gone.yaml")
