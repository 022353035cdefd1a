"""A trained network against the results of a slow integer program: ranges, predictions and logits."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aster_dse.activity.record import record_trace
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.calibration import Calibration, array_layers, calibrate, folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.passes import array_logits, run_pass
from aster_dse.space import WorkloadConfig
from aster_dse.space.cell_conditions import CellConditions
from aster_dse.training import TrainedNetwork, load_trained
from aster_dse.training.trained import Feed
from aster_dse.workload import Workload, load_workload

FOLDER = Path(__file__).parent / "reference"
RESULTS = np.load(FOLDER / "w16-plif.npz")
SETTINGS = sorted({name.split("/")[0] for name in RESULTS.files if name.endswith("/logits")})
IDEAL = Chip(CellConditions())


@functools.cache
def workload() -> Workload:
    return load_workload(WorkloadConfig(name="digits-dvs"))


@functools.cache
def trained() -> TrainedNetwork:
    return load_trained(FOLDER / "w16-plif.safetensors")


@functools.cache
def folded() -> Any:
    return folded_layers(trained(), workload())


def arrays_of(setting: str) -> NetworkArrays:
    """Of ``ROWS-CELLBITS-LEVELS-RANGE``, with ``-layer`` or ``-offset``."""
    rows, cell_bits, levels, rule, *rest = setting.split("-")
    arrays = LayerArrays(
        rows=int(rows),
        cell_bits=int(cell_bits),
        adc_levels=int(levels),
        adc_range=rule,  # type: ignore[arg-type]
        adc_range_per="layer" if "layer" in rest else "slice",
        column_kind="offset" if "offset" in rest else "pair",
    )
    return NetworkArrays.uniform(len(trained().geometry.synaptic), arrays)


@functools.cache
def calibration(exact: NetworkArrays) -> Calibration:
    return calibrate(trained(), workload(), folded(), exact, IDEAL)


def layers_of(setting: str) -> tuple[ArrayLayer, ...]:
    arrays = arrays_of(setting)
    sums = calibration(arrays.exact()) if arrays.calibrated else None
    return array_layers(trained().geometry, folded(), arrays, IDEAL, sums)


def test_there_is_one_of_every_kind() -> None:
    assert len(SETTINGS) == 12


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting(setting: str) -> None:
    layers = layers_of(setting)
    for layer in layers:
        expected = reference_ranges(setting, layer.layer.name)
        if expected is not None:
            assert list(layer.multipliers) == expected, layer.layer.name
    logits = array_logits(trained(), workload(), layers, validation())[0]
    predictions = logits.mean(1).argmax(-1)
    assert (predictions != RESULTS[f"{setting}/predictions"]).sum() <= 2
    plain = RESULTS["plain.logits"]
    change = np.abs(logits - plain).mean()
    expected_change = np.abs(RESULTS[f"{setting}/logits"].astype(np.float32) - plain).mean()
    assert change == pytest.approx(expected_change, rel=0.02)


def validation() -> Feed:
    return Feed(workload().validation, workload(), torch.device("cpu"))


def reference_ranges(setting: str, layer: str) -> list[int] | None:
    """``m`` by slice; q, k and v lie side by side there. None for the exact read-out."""
    part = "qkv".find(layer[-1]) if layer[-2] == "." else -1
    name = f"{setting}/m/{layer[:-1]}qkv" if part >= 0 else f"{setting}/m/{layer}"
    if name not in RESULTS.files:
        assert setting.endswith("exact")
        return None
    found = RESULTS[name].reshape(3, -1)[part] if part >= 0 else RESULTS[name]
    return [int(m) for m in found]


def test_a_whole_trace_holds_the_same_logits() -> None:
    setting = "128-2-32-mse-offset"
    plain = record_trace(trained(), workload())
    layers = layers_of(setting)
    trace = run_pass(trained(), workload(), layers, plain)
    alone = array_logits(trained(), workload(), layers, validation())[0]
    np.testing.assert_array_equal(trace.logits[0], alone)
    assert trace.block_activity is plain.block_activity
