"""What is drawn once a chip and what at each read, against the same generator in plain integers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import loop_program as loop
import numpy as np
import pytest
import torch
from case_files import read
from loop_cells import Conditions, slice_levels
from loop_cells import conductances as loop_conductances

from aster_dse.network.geometry import SynapticLayer
from aster_dse.numerics.arrays import LayerArrays
from aster_dse.numerics.cells import Chip, noise_table, normal_quantiles
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.weights import QuantisedWeights
from aster_dse.space.cell_conditions import CellConditions

_64 = (1 << 64) - 1
VARIATION, STUCK, READ = 1, 2, 3


def mixed(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _64
    return x ^ (x >> 31)


def key_of(places: Sequence[int]) -> int:
    """SplitMix64 in a chain."""
    key = 0
    for place in places:
        key = mixed((key + 0x9E3779B97F4A7C15 * (place + 1)) & _64)
    return key


def normal(key: int) -> float:
    """On a grid of 1/4096, from the upper 16 bits."""
    return round(NormalDist().inv_cdf(((key >> 48) + 0.5) / 65536) * 4096) / 4096


def layer(
    conditions: CellConditions, *, chip: int = 0, number: int = 3, rows: int = 16, **changes: Any
) -> ArrayLayer:
    """5 channels, 3x3, 4 outputs, 3 x 4 pixels; weights of 6 bits in cells of 2."""
    rng = np.random.default_rng(5)
    q = rng.integers(-31, 32, (4, 45)).astype(np.int32)
    weights = QuantisedWeights(q, 0.125, rng.normal(size=4).astype(np.float32))
    bits = changes.pop("input_bits", 1)
    gating = changes.pop("event_gating", True)
    arrays = LayerArrays(rows=rows, weight_bits=6, adc_levels=16, adc_range="unit", **changes)
    shape = SynapticLayer("layer", 5, 4, 3, 3, 4, input_bits=bits)
    ranges = [1 << 14] * arrays.slices
    return ArrayLayer(shape, number, arrays, weights, ranges, Chip(conditions, chip), event_gating=gating)


class TestNormalTable:
    def test_digest(self) -> None:
        """Equal on every machine: a chip is the same everywhere."""
        digest = hashlib.sha256(normal_quantiles().astype("<i8").tobytes()).hexdigest()
        assert digest == "db9f6de9a853d1f4992b731623ab3b27a8d127c91bf3d63c2fb3347625a520f8"

    def test_quantiles(self) -> None:
        """By another program; none lies so near to half a bit that the last bit of a float decides."""
        exact = np.array([NormalDist().inv_cdf((i + 0.5) / 65536) * 4096 for i in range(65536)])
        np.testing.assert_array_equal(normal_quantiles(), np.rint(exact))
        assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-9

    def test_moments(self) -> None:
        table = normal_quantiles() / 4096
        assert table.sum() == 0.0
        assert table.std() == pytest.approx(1.0, abs=1e-4)


class TestVariation:
    @pytest.mark.parametrize("relative_to", ["level", "range"])
    @pytest.mark.parametrize("column", ["pair", "offset"])
    def test_conductances(self, relative_to: Any, column: Any) -> None:
        found = layer(
            CellConditions(on_off=20.0, variation=0.25, variation_of=relative_to),
            chip=2,
            column_kind=column,
        )
        levels = slice_levels(found.weights.q.tolist(), 6, 2, offset=column == "offset")
        drawn = [
            [
                [
                    [normal(key_of((VARIATION, 2, 3, s, g, o, i))) for i in range(len(row))]
                    for o, row in enumerate(side)
                ]
                for g, side in enumerate(sides)
            ]
            for s, sides in enumerate(levels)
        ]
        conditions = Conditions(on_off=20.0, sigma=0.25, sigma_of=relative_to)
        expected = loop_conductances(levels, 2, conditions, drawn)
        np.testing.assert_array_equal(found.cells, np.array(expected))

    def test_does_not_depend_on_the_rows(self) -> None:
        conditions = CellConditions(variation=0.1, stuck_on=0.05, stuck_off=0.05)
        np.testing.assert_array_equal(layer(conditions, rows=8).cells, layer(conditions, rows=128).cells)

    def test_chips_layers_and_sides_are_independent(self) -> None:
        conditions = CellConditions(variation=0.1, variation_of="range", on_off=2.0)
        chips = [layer(conditions, chip=chip).cells for chip in range(8)]
        chips.append(layer(conditions, number=4).cells)
        drawn = [cells - layer(CellConditions(on_off=2.0)).cells for cells in chips]
        sides = [part[:, side].ravel() for part in drawn for side in range(2)]
        correlation = np.corrcoef(sides) - np.eye(len(sides))
        assert np.abs(correlation).max() < 0.2
        np.testing.assert_array_equal(layer(conditions, chip=5).cells, chips[5])

    def test_shares_of_stuck_cells(self) -> None:
        found = np.concatenate(
            [layer(CellConditions(stuck_on=0.2, stuck_off=0.3), chip=chip).cells for chip in range(20)]
        )
        sound = layer(CellConditions()).cells << 8
        changed = found.reshape(20, *sound.shape)
        for share, level in ((0.2, 3), (0.3, 0)):
            others = sound != level << 8
            hit = (changed == level << 8)[:, others].mean()
            assert hit == pytest.approx(share, abs=0.02)

    def test_calibration_sees_nominal_cells(self) -> None:
        conditions = CellConditions(on_off=10.0, variation=0.2, stuck_on=0.1, drift=0.7)
        nominal = layer(CellConditions(on_off=10.0)).cells
        np.testing.assert_array_equal(layer(conditions).calibration_cells, nominal)


@pytest.mark.parametrize("switch", ["off", "portable", ""], ids=["reference", "portable", "native"])
class TestReadNoise:
    @pytest.mark.parametrize("gated", [True, False])
    @pytest.mark.parametrize("bits", [1, 2])
    @pytest.mark.parametrize("column", ["pair", "offset"])
    def test_outputs(
        self, switch: str, gated: bool, bits: int, column: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ASTER_DSE_KERNELS", switch)
        noisy = layer(
            CellConditions(read_noise=0.5, variation=0.1),
            chip=1,
            column_kind=column,
            input_bits=bits,
            event_gating=gated,
        )
        maps = np.random.default_rng(1).integers(0, 1 << bits, (2, 2, 5, 3, 4)) * (
            np.random.default_rng(2).random((2, 2, 5, 3, 4)) < 0.2
        )
        found = read(noisy, torch.from_numpy(maps).float().movedim(2, -1)).outputs
        np.testing.assert_array_equal(found, expected_outputs(noisy, maps, bits, gated))

    def test_mean_is_zero(self, switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ASTER_DSE_KERNELS", switch)
        maps = torch.ones(1, 400, 3, 4, 5)
        ideal, noisy = (
            read(
                # Whole sums on whole codes, none of them clipped: rounding is symmetric.
                replace(
                    layer(CellConditions(read_noise=noise), rows=64, column_kind="offset"),
                    arrays=LayerArrays(
                        rows=64, weight_bits=6, adc_levels=256, adc_range="unit", column_kind="offset"
                    ),
                    multipliers=[1 << 15] * 3,
                ),
                maps,
            ).outputs.reshape(400, -1)
            for noise in (0.0, 0.5)
        )
        error = noisy - ideal
        assert (error.std(0) > 0).all()
        assert np.abs(error.mean(0) / error.std(0)).max() < 5 / 400**0.5


def expected_outputs(noisy: ArrayLayer, maps: Any, bits: int, gated: bool) -> Any:
    """By the loop program, with noise drawn by the generator above."""
    chip = noisy.chip.number
    planes = loop.bit_planes(loop.windows_of(maps.tolist(), 3), bits)
    driven = loop.driven_rows(planes, noisy.arrays.rows)
    sums = loop.column_sums(noisy.cells.tolist(), driven)
    columns = {
        (s, g, o): key_of((READ, chip, noisy.number, s, g, o))
        for s, sides in enumerate(noisy.cells)
        for g, side in enumerate(sides)
        for o in range(len(side))
    }

    def drawn(s: int, tile: int, g: int, plane: int, place: int, o: int) -> float:
        image, window = divmod(place, 12)
        step, sample = divmod(image, 2)
        return normal(mixed((key_of((sample, step, plane, window, tile)) + columns[s, g, o]) & _64))

    noise = np.array(sums, dtype=float)
    for index in np.ndindex(noise.shape):
        noise[index] = drawn(*index)
    conditions = Conditions(read_noise=0.5, sigma=0.1, gating=gated)
    codes = loop.read_out(sums, driven, noisy.multipliers, 16, conditions, noise.tolist())
    offset = noisy.arrays.offset
    return np.array(
        loop.outputs_of(
            loop.digital_sums(codes),
            [list(noisy.weights.bias)],
            loop.slice_factors(noisy.weights.step, 2, noisy.multipliers),
            loop.driven_counts(planes),
            loop.offset_terms(noisy.weights.step, 6, 2, conditions) if offset else [],
        )
    )


def test_the_most_noise_that_a_space_may_name_fits() -> None:
    noise_table(CellConditions(read_noise=50.0))
    with pytest.raises(ValueError, match="read_noise: 51"):
        CellConditions(read_noise=51.0)
