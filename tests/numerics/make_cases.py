"""Draws small random layers and stores what the loop program makes of them in ``cases/``.

Run by hand from this folder after a change of the definition, then look at what changed before committing::

    python make_cases.py                # every case
    python make_cases.py stuck drift    # those whose names hold one of the words

Every case has a random stream of its own, keyed by its name, so that adding one leaves the others alone.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import draw_layers as drawn
import numpy as np
from draw_layers import Array, Layer, draw
from loop_cells import Conditions
from loop_layer import DEFAULTS, run_layer
from loop_ranges import multiplier

CASES = Path(__file__).parent / "cases"
Cases = dict[str, tuple[Layer, dict[str, Any]]]
BASE: Mapping[str, Any] = {"rows": 16, "cell_bits": 2, "weight_bits": 8, "levels": 8, "range": "mse"}
CONV = Layer()
SPARSE = Layer(channels=6, rate=0.04)
DENSE = Layer(channels=3, rate=0.8)
VECTOR = Layer(channels=60, outputs=5, kernel=1, height=1, width=1, steps=4, samples=6)
IMAGES = Layer(channels=3, outputs=3, steps=1, samples=2, height=4, width=5, changes=(drawn.images,))
STREAM = Layer(channels=2, outputs=1, kernel=1, height=1, width=1, norm=False, changes=(drawn.one_large_sum,))


def ranges() -> Cases:
    cases: Cases = {}
    for rule in ("worst", "max", "p99.9", "p99", "unit", "mse", "mse2"):
        cases[f"range-{rule}-slice"] = (CONV, {"range": rule, "cell_bits": 4})
        cases[f"range-{rule}-layer"] = (
            VECTOR,
            {"range": rule, "range_per": "layer", "rows": 32, "levels": 4},
        )
    cases["range-exact"] = (CONV, {"range": "exact", "levels": 0})
    # A step of 16 and of 4: sums lie exactly on half steps.
    cases["ties-worst"] = (DENSE, {"range": "worst", "levels": 4})
    three = Layer(
        channels=4, kernel=1, height=1, width=1, samples=4, norm=False, changes=(drawn.sums_of_three,)
    )
    cases["ties-equal-errors"] = (three, {"range": "mse2", "levels": 2, "weight_bits": 3})
    share = {"weight_bits": 4, "cell_bits": 4, "levels": 4}
    cases["ties-p99"] = (replace(STREAM, steps=5, samples=10), {**share, "range": "p99"})
    cases["ties-p99.9"] = (replace(STREAM, steps=5, samples=100), {**share, "range": "p99.9"})
    cases["ties-mse2"] = (DENSE, {"range": "mse2", "levels": 4, "cell_bits": 4})
    return cases


def cells() -> Cases:
    return {
        "cells-1-bit": (SPARSE, {"cell_bits": 1, "levels": 2, "range": "max"}),
        "cells-1-bit-dense": (DENSE, {"cell_bits": 1, "levels": 4}),
        "cells-3-bits": (CONV, {"cell_bits": 3, "levels": 16}),
        "cells-3-bits-offset-layer": (
            VECTOR,
            {"cell_bits": 3, "offset_column": True, "range_per": "layer"},
        ),
        "cells-8-bits": (CONV, {"cell_bits": 8, "levels": 32, "range": "p99"}),
        "weights-2-bits": (CONV, {"weight_bits": 2, "levels": 4, "range": "max"}),
        "weights-6-bits": (VECTOR, {"weight_bits": 6, "cell_bits": 4, "rows": 32}),
        "weights-24-bits-exact": (CONV, {"weight_bits": 24, "cell_bits": 4, "range": "exact", "levels": 0}),
        "weights-ties": (Layer(norm=False, conv_bias=True, changes=(drawn.half_steps,)), {"range": "max"}),
        "offset-mse": (CONV, {"offset_column": True}),
        "offset-max-sparse": (SPARSE, {"offset_column": True, "range": "max", "rows": 8, "levels": 4}),
        "tiles-short-last": (Layer(channels=5, rate=0.4), {"rows": 32, "cell_bits": 4}),
        "tiles-one-row-last": (Layer(channels=33, kernel=1, height=2, width=3), {"rows": 32}),
        "levels-1024": (DENSE, {"levels": 1024, "cell_bits": 4, "rows": 64, "range": "max"}),
        "levels-2": (CONV, {"levels": 2}),
        "levels-2-max": (CONV, {"levels": 2, "range": "max", "cell_bits": 4}),
    }


def weights() -> Cases:
    zeros = Layer(changes=(drawn.zero_weights,))
    full = Layer(
        channels=300,
        outputs=3,
        kernel=1,
        height=1,
        width=1,
        rate=0.97,
        norm=False,
        changes=(drawn.large_weights,),
    )
    wide = {"rows": 256, "cell_bits": 8, "levels": 64}
    return {
        "zeros": (zeros, {}),
        "zeros-offset": (zeros, {"offset_column": True, "range": "max"}),
        "silent-calibration": (Layer(changes=(drawn.silent_calibration,)), {}),
        "negative-gains": (Layer(changes=(drawn.negative_gains,)), {"range": "max"}),
        "conv-bias": (Layer(channels=40, kernel=1, conv_bias=True), {"rows": 64, "cell_bits": 4}),
        "conv-bias-negative-gains": (
            Layer(conv_bias=True, changes=(drawn.negative_gains,)),
            {"range": "p99.9"},
        ),
        "head-without-norm": (
            Layer(channels=48, kernel=1, height=1, width=1, steps=4, norm=False, conv_bias=True),
            {"rows": 64, "cell_bits": 4, "range": "mse2"},
        ),
        "large-sums-offset": (full, {**wide, "offset_column": True}),
        "large-sums-pair": (full, {**wide, "weight_bits": 9, "range": "max"}),
        "large-sums-2-levels": (full, {**wide, "weight_bits": 9, "levels": 2}),
        "planes": (
            IMAGES,
            {"input_bits": 8, "image_scale": 1 / 255, "levels": 4},
        ),
        "planes-offset": (
            replace(IMAGES, steps=2, samples=1, conv_bias=True),
            {"input_bits": 8, "image_scale": 1 / 255, "rows": 32, "offset_column": True},
        ),
        "planes-offset-off-current": (
            IMAGES,
            {"input_bits": 8, "image_scale": 1 / 255, "offset_column": True, "on_off": 25.0, "cell_bits": 4},
        ),
        "planes-raw-counts": (Layer(changes=(drawn.raw_counts,)), {"input_bits": 2, "range_per": "layer"}),
    }


def conditions() -> Cases:
    cases: Cases = {}
    for ratio in (10.0, 150.0):
        for name, offset in (("pair", False), ("offset", True)):
            rule = "mse" if ratio == 10 else "max"
            cases[f"off-current-{ratio:.0f}-{name}"] = (
                CONV,
                {"on_off": ratio, "offset_column": offset, "levels": 4, "range": rule},
            )
    stuck = {"stuck_on_level": 3.0, "stuck_off_level": 0.0}
    return cases | {
        "off-current-worst": (VECTOR, {"on_off": 10.0, "range": "worst", "cell_bits": 4}),
        "off-current-layer": (VECTOR, {"on_off": 20.0, "range_per": "layer", "levels": 4, "rows": 32}),
        "off-current-mse2": (SPARSE, {"on_off": 150.0, "range": "mse2", "cell_bits": 4}),
        "off-current-p99": (SPARSE, {"on_off": 30.0, "range": "p99", "cell_bits": 3}),
        # An off-current of half of the last fractional bit: every cell is a tie.
        "off-current-tie": (DENSE, {"on_off": 513.0, "cell_bits": 1, "range": "max", "levels": 4}),
        "stuck": (CONV, stuck),
        "stuck-off-current-offset": (CONV, {**stuck, "on_off": 10.0, "offset_column": True, "levels": 4}),
        "drift": (VECTOR, {"drift": 0.83}),
        "drift-off-current": (CONV, {"drift": 0.9, "on_off": 10.0, "cell_bits": 4}),
        "drift-off-current-offset": (CONV, {"drift": 1.07, "on_off": 25.0, "offset_column": True}),
        "variation-level": (CONV, {"sigma": 0.1, "on_off": 150.0}),
        "variation-range": (VECTOR, {"sigma": 0.3, "sigma_of": "range", "cell_bits": 4}),
        "variation-stuck-drift": (CONV, {**stuck, "sigma": 0.2, "on_off": 20.0, "drift": 0.95}),
        "read-noise-gated": (SPARSE, {"read_noise": 0.5, "rows": 8, "levels": 4, "range": "max"}),
        "read-noise-ungated": (
            SPARSE,
            {"read_noise": 0.5, "rows": 8, "levels": 4, "range": "max", "gating": False},
        ),
        "read-noise-variation": (CONV, {"read_noise": 0.25, "sigma": 0.1, "on_off": 50.0}),
    }


def check(name: str, settings: Mapping[str, Any], results: Mapping[str, Array]) -> None:
    """Hold each case to what it is there for."""
    if settings["range"] == "worst" and settings["on_off"] is not None:
        full = (
            2 ** settings["cell_bits"]
            - 1
            + Conditions(on_off=settings["on_off"]).off_current_rounded(settings["cell_bits"])
        )
        # The definition leaves open whether this off-current is rounded; no case may depend on it.
        assert multiplier(settings["rows"] * full / (settings["levels"] - 1)) == results["m"][0]
    seen = [row[results["histogram_x"] > 0].any() for row in results["histogram"]]
    # Nor on whether a slice that calibration never saw takes the step of ``worst`` or of its layer.
    assert all(seen) or (settings["range"] != "worst" and settings["range_per"] == "slice")
    if name.startswith("large-sums"):
        assert results["sums"].max() >= 2**15
    if name in ("ties-worst", "ties-mse2"):
        step = 2**15 / results["m"].reshape(-1, 1, 1, 1, 1, 1)
        assert (results["sums"] % step == step / 2).any()
    if name.startswith("read-noise"):
        assert (results["sums"] == 0).all(axis=(0, 2, 3, 5)).any()


def main(words: list[str]) -> None:
    CASES.mkdir(exist_ok=True)
    for name, (layer, special) in (ranges() | cells() | weights() | conditions()).items():
        if words and not any(word in name for word in words):
            continue
        settings = {**DEFAULTS, **BASE, **special}
        arrays = draw(layer, settings, np.random.default_rng(zlib.crc32(name.encode())))
        results = run_layer(arrays, settings)
        check(name, settings, results)
        stored = {f"result_{key}": value for key, value in results.items()}
        stored = {"settings": np.array(json.dumps(settings)), **arrays, **stored}
        np.savez_compressed(CASES / f"{name}.npz", allow_pickle=False, **stored)
        print(name, results["m"].tolist())


if __name__ == "__main__":
    main(sys.argv[1:])
