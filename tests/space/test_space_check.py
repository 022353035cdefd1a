"""Spaces that cannot be searched are refused with path and remedy; choices that are of no use are noted."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.errors import InputError
from aster_dse.hardware import resolve
from aster_dse.search.space_checks import (
    check_accelerators,
    check_networks_of,
    check_space,
    check_workload,
    spare_steps,
)
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


BITS = "hardware.weight_bits: "
REAL_BIT = "arrays: real need a sign and a magnitude, and weights have 1 bit"


@pytest.mark.parametrize(
    ("hardware", "note"),
    [
        (
            {"weight_bits": {"choices": [1, 4, 8]}},
            f"hardware.weight_bits: 1 can never be used: {BITS}{REAL_BIT}",
        ),
        (
            {"weight_bits": 16, "cell_bits": {"choices": [1, 2]}, "columns": 16},
            "hardware.cell_bits: 1 can never be used: hardware.columns: 16 columns cannot hold one weight: "
            "16 bits in cells of 1, as differential pairs, take 32",
        ),
        (
            {"layers": {"stem.*": {"weight_bits": {"choices": [1, 8]}}}},
            f"hardware.layers: stem.*.weight_bits: 1 can never be used: hardware.layers: stem.0.weight_bits: "
            f"{REAL_BIT}",
        ),
        (
            {"layers": {"block.each.*": {"columns": {"choices": [8, 64]}}}, "cell_bits": 1},
            "hardware.layers: block.each.*.columns: 8 can never be used: hardware.layers: block.0.q.columns: "
            "8 columns cannot hold one weight: 8 bits in cells of 1, as differential pairs, take 16",
        ),
        (
            {"adc_kind": {"choices": ["sar", "table"]}, "library": "neurosim"},
            "hardware.adc_kind: table can never be used: hardware.adc_kind: library neurosim has no figures "
            "for 'table'",
        ),
        (
            {"column_mux": {"low": 1, "high": 4}},
            "hardware.column_mux: 3 can never be used: hardware.column_mux: 3 does not divide the array's "
            "128 columns",
        ),
        (
            {"tiles": {"choices": [None, 4]}, "area_budget_mm2": 5.0},
            "hardware.tiles: 4 can never be used: hardware.area_budget_mm2: an area budget and a number of "
            "tiles at once",
        ),
    ],
)
def test_choices_that_no_accelerator_can_have_are_noted(hardware: dict[str, Any], note: str) -> None:
    assert check_accelerators(space(**hardware), "my.yaml") == (note,)


@pytest.mark.parametrize(
    ("hardware", "problem"),
    [
        ({"weight_bits": 1}, f"{BITS}{REAL_BIT}"),
        ({"weight_bits": 16, "cell_bits": 1, "columns": 16}, "hardware.columns: 16 columns cannot hold one"),
        (
            {"column_mux": {"choices": [3, 7]}},
            "hardware.column_mux: 3 does not divide the array's 128 columns",
        ),
        ({"adc_kind": {"choices": ["table"]}, "library": "neurosim"}, "hardware.adc_kind: library neurosim"),
        (
            {"tiles": 4, "area_budget_mm2": 5.0},
            "hardware.area_budget_mm2: an area budget and a number of tiles",
        ),
        ({"library": "nope.yaml"}, "hardware.library: cannot read nope.yaml"),
        ({"base": {"choices": ["isaac-32nm", "nope"]}}, "hardware.base: 'nope' is no known preset"),
    ],
)
def test_a_space_without_an_accelerator_is_refused(hardware: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError) as caught:
        check_space(space(**hardware), "my.yaml")
    message = str(caught.value)
    assert message.startswith(f"my.yaml: {problem}")
    assert "\n" not in message


def test_the_one_accelerator_of_25_thousand_is_found() -> None:
    only = space(
        column_mux={"choices": [101, 103, 107, 109, 113, 127]},
        columns={"choices": [8, 16, 32, 64, 128, 256, 512, 824]},
        buffer_kib={"low": 1, "high": 512},
        rows=1024,
        arrays_per_subarray=64,
        subarrays_per_tile=64,
    )
    assert {note.partition(" can never")[0] for note in check_accelerators(only, "my.yaml")} == {
        "hardware.column_mux: 101, 107, 109, 113, 127",
        "hardware.columns: 8, 16, 32, 64, 128, 256, 512",
        "hardware.buffer_kib: 1, 2, 3, 4, 5, 6, 7, 8 and 503 more",
    }


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True), st.data())
@settings(max_examples=25, deadline=None)
def test_what_is_said_is_what_trying_every_accelerator_shows(muxes: list[int], data: st.DataObject) -> None:
    chosen = {
        "column_mux": muxes,
        "columns": data.draw(
            st.lists(st.sampled_from([8, 24, 40, 120]), min_size=1, max_size=3, unique=True)
        ),
        "weight_bits": data.draw(
            st.lists(st.sampled_from([1, 4, 9, 16]), min_size=1, max_size=3, unique=True)
        ),
        "cell_bits": data.draw(st.lists(st.sampled_from([1, 2, 8]), min_size=1, max_size=2, unique=True)),
        "buffer_kib": data.draw(st.lists(st.sampled_from([1, 4, 64]), min_size=1, max_size=2, unique=True)),
    }
    used: set[tuple[str, int]] = set()
    for row in itertools.product(*chosen.values()):
        design = dict(zip(chosen, row, strict=True))
        with suppress(InputError):
            resolve(HardwareConfig(**design))
            used |= set(design.items())
    searched = space(arrays="ideal", **{name: {"choices": values} for name, values in chosen.items()})
    if not used:
        with pytest.raises(InputError):
            check_accelerators(searched, "my.yaml")
        return
    said = {
        (name, int(value))
        for note in check_accelerators(searched, "my.yaml")
        for name in [note.partition(":")[0].removeprefix("hardware.")]
        for value in note.partition(": ")[2].partition(" can never")[0].split(", ")
    }
    assert said == {(name, value) for name, values in chosen.items() for value in values} - used


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (
            {"network": {"width": 24, "num_heads": 7, "event_mode": True}},
            "network.num_heads: 7 does not divide",
        ),
        ({"network": {"width": 16, "stem": "32-2-1-1"}}, "network.stem: '32-2-1-1' leaves a stage"),
        ({"network": {"width": 16, "stem": "0-2-1-1"}}, "network.stem: '0-2-1-1' leaves a stage"),
        (
            {"workload": {"name": "digits", "resolution": 16}, "training": {"event_augmentation": True}},
            "training.event_augmentation: is an augmentation of event frames, which digits does not have",
        ),
        ({"training": {"rand_augment": 5}}, "training.rand_augment: is an augmentation of images"),
        ({"workload": {"name": "nowhere"}}, "workload.name: there is no workload 'nowhere'"),
        ({"workload": {"name": {"choices": ["nowhere", "neither"]}}}, "workload.name: there is no workload"),
    ],
)
def test_a_space_without_a_network_is_refused(parts: dict[str, Any], problem: str) -> None:
    content = {**BASE, **parts}
    content["network"] = {"depth": {"choices": [1, 2]}, **content["network"]}
    with pytest.raises(InputError) as caught:
        check_space(SearchSpace.from_mapping(content), "my.yaml")
    assert str(caught.value).startswith(f"my.yaml: {problem}")


def test_networks_that_can_never_be_trained_are_noted() -> None:
    heads = {"width": {"choices": [24, 56]}, "num_heads": {"choices": [5, 7]}, "event_mode": True}
    assert check_networks_of(SearchSpace.from_mapping({**BASE, "network": heads}), "my.yaml") == (
        "network.width: 24 can never be used: network.num_heads: 5 does not divide the width 24",
        "network.num_heads: 5 can never be used: network.num_heads: 5 does not divide the width 24",
    )


@pytest.mark.parametrize(
    ("steps", "note"),
    [
        ({"low": 1, "high": 4}, "3, 4 are the same policy as 2"),
        (4, "4 is the same policy as 2"),
        ({"choices": [1, 2, None]}, "null is the same policy as 2"),
        ({"choices": [1, None]}, ""),
        (None, ""),
        ({"low": 1, "high": 2}, ""),
    ],
)
def test_steps_that_no_network_has_are_noted(steps: Any, note: str) -> None:
    searched = SearchSpace.from_mapping({**BASE, "policy": {"timesteps": steps}})
    found = spare_steps(searched)
    assert list(found) == ([f"policy.timesteps: {note}, all steps that the networks have"] if note else [])


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
