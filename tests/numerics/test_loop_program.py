"""The loop program against an example by hand, reference results and its own stored cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import loop_program as loop
import numpy as np
import pytest
from loop_cells import Conditions, conductances, fold_batch_norm, quantise, slice_levels
from loop_layer import run_layer
from loop_ranges import Histogram, multiplier, range_steps, read_code

HERE = Path(__file__).parent
LAYERS = np.load(HERE / "reference" / "layers-w48-lif.npz")
RANGES = np.load(HERE / "reference" / "ranges-w48-lif.npz")
WEIGHT_BITS = 8


class TestByHand:
    """Fan-in 6, 4 rows, 4-bit weights, 2-bit cells, one output, step 1, bias 0."""

    Q = ((5, -3, 7, 0, -6, 2),)
    SPIKES = (1, 1, 1, 1, 0, 1)

    def sums(self) -> tuple[Any, Any]:
        driven = loop.driven_rows([[list(self.SPIKES)]], 4)
        cells = slice_levels([list(row) for row in self.Q], 4, 2, offset=False)
        return loop.column_sums(cells, driven), driven

    def output(self, m: list[int], levels: int) -> np.float32:
        sums, driven = self.sums()
        codes = loop.read_out(sums, driven, m, levels, Conditions())
        factors = loop.slice_factors(1.0, 2, m)
        return loop.outputs_of(loop.digital_sums(codes), [[np.float32(0)]], factors, [5], [])[0][0]

    def test_column_sums(self) -> None:
        flat = np.array(self.sums()[0])[:, :, :, 0, 0, 0]  # slice, tile, sign
        assert flat.tolist() == [[[4, 3], [2, 0]], [[2, 0], [0, 0]]]

    def test_calibrated(self) -> None:
        m = [multiplier(1.5), multiplier(1)]
        assert m == [21845, 32768]
        assert self.output(m, 4) == np.float32(11.000046)

    @pytest.mark.parametrize(("rule", "levels", "y"), [("worst", 4, 20), ("unit", 4, 10), ("exact", 0, 11)])
    def test_other_ranges(self, rule: str, levels: int, y: int) -> None:
        sums, driven = self.sums()
        d = range_steps(
            rule,
            loop.histograms(sums, driven),
            per_layer=False,
            cell_bits=2,
            levels=levels,
            fraction=0,
            rows=4,
            full_cell=3,
        )
        assert self.output([multiplier(one) for one in d], levels) == y


def settings_of(arrays: Any, layer: str) -> list[str]:
    return sorted({k.split("/")[1] for k in arrays.files if k.startswith(layer + "/") and k.endswith("/m")})


REFERENCE_LAYERS = ("stem.2", "block.0.qkv", "block.0.fc2", "head")


@pytest.mark.parametrize("layer", REFERENCE_LAYERS)
class TestReference:
    def test_codes_and_outputs(self, layer: str) -> None:
        spikes = LAYERS[f"{layer}/spikes"]
        groups = int(LAYERS[f"{layer}/groups"])
        maps = spikes.transpose(0, 3, 1, 2)[None].tolist()
        planes = [loop.windows_of(maps, int(LAYERS[f"{layer}/kernel"]))]
        q, step = LAYERS[f"{layer}/q"], LAYERS[f"{layer}/step"]
        each = len(q) // groups
        for setting in settings_of(LAYERS, layer):
            rows, cell_bits, levels = (int(part) for part in setting.split("-")[:3])
            offset = setting.endswith("-offset")
            driven = loop.driven_rows(planes, rows)
            all_m = LAYERS[f"{layer}/{setting}/m"].reshape(groups, -1).tolist()
            all_codes, all_outputs = [], []
            for group, m in enumerate(all_m):
                of = slice(group * each, (group + 1) * each)
                cells = slice_levels(q[of].tolist(), WEIGHT_BITS, cell_bits, offset=offset)
                codes = loop.read_out(loop.column_sums(cells, driven), driven, m, levels, Conditions())
                scale = float(step[group * each])
                offsets = loop.offset_terms(scale, WEIGHT_BITS, cell_bits, Conditions()) if offset else []
                y = loop.outputs_of(
                    loop.digital_sums(codes),
                    [list(LAYERS[f"{layer}/bias"][of])],
                    loop.slice_factors(scale, cell_bits, m),
                    loop.driven_counts(planes),
                    offsets,
                )
                all_codes.append(np.array(codes))
                all_outputs.append(np.array(y, dtype=np.float32))
            expected = LAYERS[f"{layer}/{setting}/codes"]
            joined = np.concatenate(all_codes, axis=-1).reshape(expected.shape)
            np.testing.assert_array_equal(joined, expected, err_msg=setting)
            outputs = np.concatenate(all_outputs, axis=-1).reshape(*spikes.shape[:3], len(q))
            np.testing.assert_array_equal(outputs, LAYERS[f"{layer}/{setting}/outputs"], err_msg=setting)

    def test_multipliers(self, layer: str) -> None:
        groups = int(LAYERS[f"{layer}/groups"])
        for setting in settings_of(RANGES, layer):
            rows, cell_bits, levels, rule = (
                part if part.isalpha() or part == "mse2" else int(part) for part in setting.split("-")[:4]
            )
            suffix = "-offset" if setting.endswith("-offset") else ""
            counts = RANGES[f"{layer}/{rows}-{cell_bits}{suffix}/h"]
            found: list[int] = []
            for group in counts.reshape(groups, -1, counts.shape[1]):
                steps = range_steps(
                    str(rule),
                    [histogram_of(row) for row in group],
                    per_layer=setting.endswith("-layer"),
                    cell_bits=int(cell_bits),
                    levels=int(levels),
                    fraction=0,
                    rows=int(rows),
                    full_cell=2 ** int(cell_bits) - 1,
                )
                found += [multiplier(d) for d in steps]
            assert found == RANGES[f"{layer}/{setting}/m"].tolist(), setting


def histogram_of(counts: Any) -> Histogram:
    return {x: int(count) for x, count in enumerate(counts) if count}


class TestRounding:
    def test_weights_round_half_to_even(self) -> None:
        assert quantise([[7.0, 0.5, 1.5, 2.5, -0.5, -1.5]], 4) == (1.0, [[7, 0, 2, 2, 0, -2]])

    def test_a_layer_of_zeros_has_step_one(self) -> None:
        assert quantise([[0.0, 0.0]], 8) == (1.0, [[0, 0]])

    def test_codes_round_half_up(self) -> None:
        assert [read_code(x, multiplier(2), 8, 0) for x in range(6)] == [0, 1, 1, 2, 2, 3]

    def test_conv_bias_goes_through_the_gain(self) -> None:
        folded, bias = fold_batch_norm([[2.0]], [3.0], [[-0.5], [1.0], [1.0], [0.25]], 0.0)
        assert (folded, bias) == ([[-2.0]], [-1.0])

    def test_conductances_round_half_to_even(self) -> None:
        # On/off 513 gives 1-bit cells an off-current of 1/512 level, half of the last fractional bit.
        assert conductances([[[[0, 1]]]], 1, Conditions(on_off=513.0)) == [[[[0, 256]]]]

    def test_whole_levels_give_the_same_codes_with_fractional_bits(self) -> None:
        for m in (1, 5, 4681, 21845, 32767, 32768):
            for x in (0, 1, 2, 3, 255, 32767, 32768, 65280):
                assert read_code(x, m, 64, 0) == read_code(x << 8, m, 64, 8)


def case(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    arrays = dict(np.load(HERE / "cases" / f"{name}.npz"))
    return arrays, json.loads(str(arrays["settings"]))


def by_formula(arrays: dict[str, Any], settings: dict[str, Any]) -> Any:
    """The layer without arrays in float64, [window, output]."""
    x = arrays["inputs"].astype(float)
    if settings["image_scale"] is not None:
        mean, std = (arrays[name][:, None, None] for name in ("image_mean", "image_std"))
        x = (x * settings["image_scale"] - mean) / std
    weights = arrays["weights"].astype(float)
    reach = weights.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (reach, reach), (reach, reach)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, weights.shape[2:], axis=(3, 4))
    y = np.einsum("tbcyxjk,ocjk->tbyxo", patches, weights) + arrays.get("conv_bias", 0.0)
    gain = arrays["gamma"].astype(float) / np.sqrt(arrays["var"].astype(float) + settings["eps"])
    return ((y - arrays["mean"]) * gain + arrays["beta"]).reshape(-1, len(weights))


class TestMeaning:
    """Exact read-out of fine weights is the layer itself."""

    @pytest.mark.parametrize("name", ["range-exact", "conv-bias-negative-gains", "planes", "planes-offset"])
    def test_exact_read_out(self, name: str) -> None:
        arrays, settings = case(name)
        fine = settings | {"weight_bits": 24, "range": "exact", "levels": 0}
        outputs = run_layer(arrays, fine)["outputs"]
        # An offset column cancels a large sum in float32.
        tolerance = 1e-3 if settings["offset_column"] else 2e-5
        np.testing.assert_allclose(outputs, by_formula(arrays, settings), atol=tolerance)

    @pytest.mark.parametrize("name", ["off-current-10-pair", "off-current-10-offset", "planes-offset"])
    def test_a_whole_off_current_cancels(self, name: str) -> None:
        arrays, settings = case(name)
        unit = settings | {"range": "unit", "levels": 1024}
        ideal = run_layer(arrays, unit | {"on_off": None})["outputs"]
        # On/off 2 makes the off-current as large as the full range, a whole number of levels.
        np.testing.assert_allclose(run_layer(arrays, unit | {"on_off": 2.0})["outputs"], ideal, atol=1e-3)


@pytest.mark.parametrize("path", sorted((HERE / "cases").glob("*.npz")), ids=lambda path: path.stem)
def test_the_stored_cases_are_what_the_program_computes(path: Path) -> None:
    arrays = dict(np.load(path))
    results = run_layer(arrays, json.loads(str(arrays["settings"])))
    for name, values in results.items():
        stored = arrays[f"result_{name}"]
        np.testing.assert_array_equal(stored, values, err_msg=name)
