"""One layer from stored weights to outputs by the loop program: what a case of ``cases/`` holds.

The keys of settings, inputs and results are listed in ``cases/README.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import loop_program as loop
import numpy as np
from loop_cells import (
    Cells,
    Conditions,
    border_correction,
    conductances,
    fold_batch_norm,
    quantise,
    scale_columns,
    slice_levels,
)
from loop_ranges import Histogram, multiplier, range_steps

Arrays = Mapping[str, np.ndarray[Any, Any]]
DEFAULTS: Mapping[str, Any] = {
    "input_bits": 1,
    "range_per": "slice",
    "offset_column": False,
    "eps": 1e-5,
    "image_scale": None,
    "on_off": None,
    "sigma": 0.0,
    "sigma_of": "level",
    "drift": 1.0,
    "stuck_on_level": 0.0,
    "stuck_off_level": 0.0,
    "read_noise": 0.0,
    "gating": True,
}
"""Settings that may be left out; ``rows``, ``cell_bits``, ``weight_bits``, ``levels``, ``range`` may not."""


def conditions_of(settings: Mapping[str, Any]) -> Conditions:
    return Conditions(**{name: settings[name] for name in Conditions.__dataclass_fields__})


def _listed(arrays: Arrays, name: str) -> Any:
    return arrays[name].tolist() if name in arrays else None


def _float_weights(arrays: Arrays, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Weights to quantise [output][fan-in], and the bias [position][output] in float32."""
    weights = arrays["weights"]
    kernel = weights.shape[-1]
    rows = weights.reshape(len(weights), -1).tolist()
    norm = [_listed(arrays, name) for name in ("gamma", "beta", "mean", "var")] if "gamma" in arrays else None
    folded, bias = fold_batch_norm(rows, _listed(arrays, "conv_bias"), norm, settings["eps"])
    if settings["image_scale"] is None:
        return {"columns": folded, "bias": [[np.float32(b) for b in bias]]}
    mean, std = arrays["image_mean"].tolist(), arrays["image_std"].tolist()
    ones = np.ones((1, 1, *arrays["inputs"].shape[2:]), dtype=int).tolist()
    correction = border_correction(folded, mean, std, kernel, loop.windows_of(ones, kernel))
    return {
        "columns": scale_columns(folded, settings["image_scale"], std, kernel),
        "bias": [[np.float32(b + c) for b, c in zip(bias, at, strict=True)] for at in correction],
    }


def _driven(arrays: Arrays, name: str, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    windows = loop.windows_of(arrays[name].tolist(), arrays["weights"].shape[-1])
    planes = loop.bit_planes(windows, settings["input_bits"])
    return planes, loop.driven_rows(planes, settings["rows"])


def _calibrate(
    cells: Cells, arrays: Arrays, settings: Mapping[str, Any]
) -> tuple[list[Histogram], list[int]]:
    """Histogram and multiplier of every slice."""
    conditions, cell_bits = conditions_of(settings), settings["cell_bits"]
    _, driven = _driven(arrays, "calibration", settings)
    nominal = conductances(cells, cell_bits, conditions, nominal=True)
    histograms = loop.histograms(loop.column_sums(nominal, driven), driven)
    steps = range_steps(
        settings["range"],
        histograms,
        per_layer=settings["range_per"] == "layer",
        cell_bits=cell_bits,
        levels=settings["levels"],
        fraction=conditions.fraction,
        rows=settings["rows"],
        full_cell=(1 << cell_bits) - 1 + conditions.off_current(cell_bits),
    )
    return histograms, [multiplier(d) for d in steps]


def run_layer(arrays: Arrays, given: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Results of a case: calibrate on ``calibration`` with nominal cells, then read ``inputs``."""
    settings = {**DEFAULTS, **given}
    conditions = conditions_of(settings)
    cell_bits, weight_bits = settings["cell_bits"], settings["weight_bits"]
    floats = _float_weights(arrays, settings)
    step, q = quantise(floats["columns"], weight_bits)
    offset = settings["offset_column"]
    cells = slice_levels(q, weight_bits, cell_bits, offset=offset)

    histograms, m = _calibrate(cells, arrays, settings)
    planes, driven = _driven(arrays, "inputs", settings)
    chip = conductances(
        cells, cell_bits, conditions, _listed(arrays, "variation_n"), _listed(arrays, "stuck")
    )
    sums = loop.column_sums(chip, driven)
    codes = loop.read_out(sums, driven, m, settings["levels"], conditions, _listed(arrays, "read_noise_n"))
    totals = loop.digital_sums(codes)
    outputs = loop.outputs_of(
        totals,
        floats["bias"],
        loop.slice_factors(step, cell_bits, m),
        loop.driven_counts(planes),
        loop.offset_terms(step, weight_bits, cell_bits, conditions) if offset else [],
    )
    xs = sorted({x for histogram in histograms for x in histogram})
    results: dict[str, np.ndarray[Any, Any]] = {
        "bias": np.array(floats["bias"], dtype=np.float32),
        "step": np.array(step, dtype=np.float64),
        "q": np.array(q, dtype=np.int32),
        "histogram_x": np.array(xs, dtype=np.int64),
        "histogram": np.array([[h.get(x, 0) for x in xs] for h in histograms], dtype=np.int64),
        "m": np.array(m, dtype=np.int32),
        "sums": np.array(sums, dtype=np.int32),
        "codes": np.array(codes, dtype=np.int32),
        "totals": np.array(totals, dtype=np.int64),
        "outputs": np.array(outputs, dtype=np.float32),
    }
    if conditions.fraction:
        results["cells"] = np.array(chip, dtype=np.int32)
    return results
