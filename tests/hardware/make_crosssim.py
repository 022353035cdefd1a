"""Draws small layers and stores what CrossSim makes of them; imports nothing of this package.

Run by hand, see the ``README.md`` beside the file that it writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from simulator import AnalogCore, CrossSimParameters
from simulator.parameters.core_parameters import BitSlicedCoreStyle, CoreStyle, PartitionStrategy
from simulator.parameters.xbar_parameters import ADCRangeLimits

DATA = Path(__file__).parents[2] / "aster_dse/hardware/baselines/layers/crosssim.npz"
WEIGHT_BITS = 8
# Fan-ins are multiples of the rows, or no multiple of the number of tiles: others are cut into equal parts.
LAYERS: dict[str, dict[str, Any]] = {
    "3x3, 9 whole tiles": {"channels": 32, "kernel": 3, "rows": 32, "cell_bits": 2, "levels": 8},
    "1x1, 2 whole tiles": {"channels": 256, "rows": 128, "cell_bits": 4, "levels": 8},
    "1x1, short last tile": {"channels": 160, "rows": 64, "cell_bits": 2, "levels": 8},
    "3x3, short last tile": {"channels": 11, "kernel": 3, "rows": 64, "cell_bits": 3, "levels": 16},
    "1-bit cells": {"channels": 256, "rows": 128, "cell_bits": 1, "levels": 8},
    "offset column": {"channels": 256, "rows": 128, "cell_bits": 2, "levels": 16, "column": "offset"},
    "bit planes": {
        "channels": 3, "kernel": 3, "rows": 32, "cell_bits": 2, "levels": 16, "input_bits": 8,
    },
    "bit planes, offset column": {
        "channels": 3, "kernel": 3, "rows": 32, "cell_bits": 4, "levels": 64, "input_bits": 8,
        "column": "offset",
    },
}  # fmt: skip
DEFAULTS = {"kernel": 1, "column": "pair", "input_bits": 1, "outputs": 12}


def draw(settings: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Integer weights with their step and bias, and inputs ``[images, H, W, channels]``."""
    kernel, channels, outputs = (settings[name] for name in ("kernel", "channels", "outputs"))
    weights = rng.standard_normal((outputs, channels * kernel**2))
    step = np.abs(weights).max() / (2 ** (WEIGHT_BITS - 1) - 1)
    shape = (2, 5, 5, channels) if kernel > 1 else (32, 1, 1, channels)
    if settings["input_bits"] > 1:
        inputs = rng.integers(0, 1 << settings["input_bits"], shape)
    else:
        inputs = rng.random(shape) < 0.2
    return {
        "q": np.rint(weights / step).astype(np.int16),
        "step": np.float64(step / ((1 << settings["input_bits"]) - 1)),
        "bias": rng.standard_normal(outputs).astype(np.float32),
        "inputs": inputs.astype(np.uint8),
    }


def windows_of(inputs: np.ndarray, kernel: int) -> np.ndarray:
    """``[windows, fan-in]``, fan-in ordered (channel, kernel row, kernel column)."""
    reach = kernel // 2
    padded = np.pad(inputs, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    found = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))
    return found.reshape(-1, inputs.shape[3] * kernel**2).astype(np.int64)


def ranges(drawn: dict[str, Any], windows: np.ndarray, settings: dict[str, Any]) -> list[int]:
    """``m`` by slice: levels up to 0.7 of the largest column sum; odd, so that no sum lies on half a step."""
    q, found = drawn["q"].astype(np.int64), []
    cell_bits, rows = settings["cell_bits"], settings["rows"]
    sides = [q + (1 << (WEIGHT_BITS - 1))] if settings["column"] == "offset" else [q.clip(0), (-q).clip(0)]
    for s in range(-(-WEIGHT_BITS // cell_bits)):
        largest = max(
            int(
                (
                    ((windows[:, at : at + rows] >> plane) & 1)
                    @ ((side[:, at : at + rows] >> (cell_bits * s)) & ((1 << cell_bits) - 1)).T
                ).max()
            )
            for side in sides
            for at in range(0, q.shape[1], rows)
            for plane in range(settings["input_bits"])
        )
        step = max(1.0, 0.7 * largest / (settings["levels"] - 1))
        found.append(1 << 15 if step == 1.0 else round(2**15 / step) | 1)
    return found


def parameters(settings: dict[str, Any], m: list[int]) -> CrossSimParameters:
    """Bit-sliced, levels of every slice from 0 to (L - 1) 2^15 / m cell levels, rounded to the nearest."""
    params = CrossSimParameters()
    params.core.style = CoreStyle.BITSLICED
    params.core.weight_bits = WEIGHT_BITS
    params.core.rows_max = settings["rows"]
    params.core.bit_sliced.num_slices = len(m)
    offset = settings["column"] == "offset"
    params.core.bit_sliced.style = BitSlicedCoreStyle.OFFSET if offset else BitSlicedCoreStyle.BALANCED
    params.core.balanced.subtract_current_in_xbar = False
    weights = params.core.mapping.weights
    weights.row_partition_strategy = weights.col_partition_strategy = PartitionStrategy.MAX
    weights.percentile = None
    weights.max = 2 ** (WEIGHT_BITS - 1) - 1
    weights.min = -weights.max
    params.core.mapping.inputs.mvm.min = 0
    params.core.mapping.inputs.mvm.max = (1 << settings["input_bits"]) - 1
    params.xbar.device.infinite_on_off_ratio = True
    params.xbar.dac.mvm.signed = False
    if settings["input_bits"] > 1:
        params.xbar.dac.mvm.model = "QuantizerDAC"
        params.xbar.dac.mvm.bits = settings["input_bits"]
        params.xbar.dac.mvm.input_bitslicing = True
        params.xbar.dac.mvm.slice_size = 1
    params.xbar.adc.mvm.model = "QuantizerADC"
    params.xbar.adc.mvm.bits = settings["levels"].bit_length() - 1
    params.xbar.adc.mvm.signed = False
    params.xbar.adc.mvm.adc_per_ibit = settings["input_bits"] > 1
    params.xbar.adc.mvm.adc_range_option = ADCRangeLimits.CALIBRATED
    full = (1 << settings["cell_bits"]) - 1
    top = [(settings["levels"] - 1) * 2**15 / one / full for one in m]
    params.xbar.adc.mvm.calibrated_range = np.array([[0.0, x] for x in top])
    return params


def crosssim(drawn: dict[str, Any], settings: dict[str, Any], m: list[int]) -> np.ndarray:
    """``[windows, outputs]``"""
    core = AnalogCore(drawn["q"].astype(np.float64), parameters(settings, m))
    sums = core.matmat(windows_of(drawn["inputs"], settings["kernel"]).T.astype(np.float64)).T
    return (drawn["bias"] + drawn["step"] * sums).astype(np.float32)


def main() -> None:
    stored: dict[str, Any] = {"layers": np.array(json.dumps({}))}
    described = {}
    for number, (name, special) in enumerate(LAYERS.items()):
        settings = {**DEFAULTS, **special}
        drawn = draw(settings, np.random.default_rng(number))
        m = ranges(drawn, windows_of(drawn["inputs"], settings["kernel"]), settings)
        described[name] = {**settings, "weight_bits": WEIGHT_BITS, "m": m}
        stored |= {f"{number}/{key}": value for key, value in drawn.items()}
        stored[f"{number}/outputs"] = crosssim(drawn, settings, m)
        print(name, m)
    stored["layers"] = np.array(json.dumps(described))
    np.savez_compressed(DATA, allow_pickle=False, **stored)


if __name__ == "__main__":
    main()
