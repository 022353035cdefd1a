"""``space check`` refuses what no accelerator can be, with path and remedy, and notes what is of no use."""

from __future__ import annotations

from typing import Any

import pytest

from aster_dse.cli.spaces import check_accelerators, check_workload
from aster_dse.errors import InputError
from aster_dse.hardware import resolve
from aster_dse.space import HardwareConfig, SearchSpace, WorkloadConfig, load_space, shipped_spaces
from aster_dse.workload import load_workload, training_samples

BASE: dict[str, Any] = {
    "name": "checked",
    "workload": {"name": "digits-dvs", "resolution": 16, "timesteps": 2},
    "network": {"width": {"choices": [8, 16]}, "depth": 1, "stem": "4-2-1-1", "pooling": "1001"},
    "objectives": {"accuracy": "max", "energy_uj": "min"},
}


def space(workload: dict[str, Any] | None = None, **hardware: Any) -> SearchSpace:
    content = {**BASE, "hardware": {"arrays": "real", **hardware}}
    return SearchSpace.from_mapping({**content, "workload": workload or BASE["workload"]})


@pytest.mark.parametrize(
    ("hardware", "where", "problem"),
    [
        ({"weight_bits": 1}, "hardware.weight_bits", "weights have 1 bit"),
        ({"weight_bits": {"choices": [1, 4, 8]}}, "hardware.weight_bits: 1", "weights have 1 bit"),
        (
            {"weight_bits": 16, "cell_bits": {"choices": [1, 2]}, "columns": 16},
            "hardware.cell_bits: 1",
            "16 columns cannot hold one weight: 16 bits in cells of 1, as differential pairs, take 32",
        ),
        ({"weight_bits": 16, "cell_bits": 1, "columns": 16}, "hardware.columns", "cannot hold one weight"),
        (
            {"layers": {"stem.*": {"weight_bits": {"choices": [1, 8]}}}},
            "hardware.layers: stem.*.weight_bits: 1",
            "weights have 1 bit",
        ),
        (
            {"layers": {"block.each.*": {"columns": {"choices": [8, 64]}}}, "cell_bits": 1},
            "hardware.layers: block.each.*.columns: 8",
            "8 columns cannot hold one weight",
        ),
    ],
)
def test_values_that_no_accelerator_can_have(hardware: dict[str, Any], where: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        check_accelerators(space(**hardware), "my.yaml")
    message = str(caught.value)
    assert message.startswith(f"my.yaml: {where}: ")
    assert problem in message
    assert message.endswith(")")
    assert "\n" not in message


def test_values_that_some_accelerator_can_have() -> None:
    """Sixteen bits need 32 columns with cells of one bit, and 8 with cells of four."""
    legal = space(
        weight_bits={"choices": [8, 16]}, cell_bits={"choices": [1, 4]}, columns={"choices": [8, 64]}
    )
    assert check_accelerators(legal, "my.yaml") == ()


def test_one_weight_bit_is_legal_where_arrays_are_ideal() -> None:
    assert check_accelerators(space(arrays="ideal", weight_bits={"choices": [1, 8]}), "my.yaml") == ()


def test_spare_levels_are_legal_and_noted() -> None:
    searched = space(adc_levels={"choices": [16, 128]}, rows={"choices": [32, 128]}, cell_bits=1)
    (note,) = check_accelerators(searched, "my.yaml")
    assert note.startswith("hardware.adc_levels: 128 levels are more than columns of 32 rows of 1-bit cells")
    assert "sum to 32 at most" in note
    spare = HardwareConfig(arrays="real", adc_levels=1024, rows=32, cell_bits=1)
    assert resolve(spare).notes == (
        "hardware.adc_levels: columns of 32 rows of 1-bit cells sum to 32 at most, "
        "so 33 of the 1024 levels are used",
    )
    assert resolve(spare.model_copy(update={"arrays": "ideal"})).notes == ()
    assert check_accelerators(space(adc_levels={"choices": [16, 32]}), "my.yaml") == ()


def test_sums_that_need_more_than_15_bits_are_legal() -> None:
    design = resolve(HardwareConfig(arrays="real", rows=1024, cell_bits=8, buffer_kib=64))
    assert design.rows * ((1 << design.cell_bits) - 1) >= 1 << 15
    assert design.notes == ()


class TestSamples:
    @pytest.mark.parametrize("name", ["digits", "digits-dvs"])
    def test_they_are_counted_without_the_data(self, name: str) -> None:
        config = WorkloadConfig(name=name, resolution=8, timesteps=1, seed=3)
        assert training_samples(config) == len(load_workload(config).train)

    def test_too_few(self) -> None:
        few = {"name": "cifar10", "validation_share": 0.99}
        with pytest.raises(InputError) as caught:
            check_workload(space(few), "my.yaml")
        assert str(caught.value) == (
            "my.yaml: hardware.arrays: two calibration sets of 256 training samples are needed; there are "
            "500 (give at least 512 training samples, or take `arrays: ideal`)"
        )
        check_workload(space(few, arrays="ideal"), "my.yaml")
        check_workload(space({"name": "cifar10", "validation_share": 0.98}), "my.yaml")

    def test_a_folder_that_is_not_here_may_be_where_the_study_runs(
        self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = {"name": "image-folder", "folder": "mine", "classes": 2, "resolution": 32}
        monkeypatch.setenv("ASTER_DSE_DATA", str(tmp_path))
        check_workload(space(own), "my.yaml")
        for part in ("train", "val"):
            for kind in ("cat", "dog"):
                folder = tmp_path / "mine" / part / kind
                folder.mkdir(parents=True)
                for number in range(40):
                    (folder / f"{number}.png").touch()
        with pytest.raises(InputError, match="there are 72"):
            check_workload(space(own), "my.yaml")


@pytest.mark.parametrize("name", [name for name, _ in shipped_spaces()])
def test_spaces_that_ship_are_good(name: str) -> None:
    for arrays in ("ideal", "real"):
        shipped = load_space(name).override(f"hardware.arrays={arrays}")
        check_workload(shipped, name)
        check_accelerators(shipped, name)
