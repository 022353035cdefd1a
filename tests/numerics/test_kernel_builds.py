"""Whole passes have the same bits whatever processor the kernels are built for."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from aster_dse.network.kernels.library import SWITCH
from aster_dse.numerics.kernels.library import array_kernels

TRACE = """
import hashlib, sys
from dataclasses import replace
import numpy as np, torch
from aster_dse.activity.record import record_trace
from aster_dse.network.geometry import network_geometry
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.numerics.arrays import LayerArrays, NetworkArrays
from aster_dse.numerics.calibration import array_layers, calibrate, folded_layers
from aster_dse.numerics.cells import Chip
from aster_dse.numerics.passes import run_pass
from aster_dse.space import NetworkConfig, WorkloadConfig
from aster_dse.space.cell_conditions import CellConditions
from aster_dse.training import TrainedNetwork
from aster_dse.workload import Split, Workload

neuron, images = sys.argv[1], sys.argv[2] == "images"
random = np.random.default_rng(0)
torch.manual_seed(0)
torch.set_num_threads(2)
shape = (12, 1 if images else 3, 3 if images else 2, 16, 16)

def split():
    frames = random.integers(0, 256, shape) if images else random.random(shape) < 0.2
    return Split(frames.astype(np.uint8), random.integers(0, 10, len(frames)))

norm = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.25)} if images else {}
workload = Workload(
    WorkloadConfig(name="digits" if images else "digits-dvs", resolution=16, timesteps=3),
    split(), split(), split(), 10, shape[2], 8 if images else 1, 1 / 255 if images else 1.0, images,
    tuple("0123456789"), **norm)
config = NetworkConfig(width=16, depth=2, stem="4-2-1-1", pooling="1101", neuron=neuron)
geometry = network_geometry(
    config, in_channels=shape[2], resolution=16, classes=10, timesteps=3, input_bits=workload.input_bits)
model = SpikeDrivenTransformer(config, geometry)
for name, value in model.named_parameters():
    if value.ndim > 1:
        value.data.copy_(torch.from_numpy(random.normal(0, 4 * value[0].numel() ** -0.5, value.shape)))
for name, value in model.named_buffers():
    if name.endswith("running_mean"):
        value.copy_(torch.from_numpy(random.normal(0, 0.1, value.shape)))
trained = TrainedNetwork(model.eval(), geometry, 0.0, 0, 0, 0.0, 0.0, ())
folded = folded_layers(trained, workload)
plain = replace(record_trace(trained, workload), block_activity=np.array([0.2, 0.1]))
found = hashlib.sha256()
UNIT = {"adc_levels": 64, "adc_range": "unit"}
for arrays, conditions in (
    (LayerArrays(rows=256, cell_bits=4, adc_levels=8), CellConditions()),
    (LayerArrays(rows=64, cell_bits=1, **UNIT, column_kind="offset"), CellConditions()),
    (LayerArrays(rows=32, cell_bits=3, **UNIT), CellConditions(variation=0.1, on_off=150.0)),
    (LayerArrays(rows=32, cell_bits=2, **UNIT), CellConditions(read_noise=0.3)),
):
    network, chip = NetworkArrays.uniform(len(geometry.synaptic), arrays), Chip(conditions, number=1)
    ranges = calibrate(trained, workload, folded, network, chip) if network.calibrated else None
    layers = array_layers(geometry, folded, network, chip, ranges)
    trace = run_pass(trained, workload, layers, plain)
    assert trace.spikes.any(axis=(0, 1, 2)).all()
    found.update(repr([list(layer.multipliers) for layer in layers]).encode())
    for counted in (trace.logits, trace.spikes, trace.driven_rows, trace.active_windows,
                    trace.active_accesses):
        found.update(counted.tobytes())
print(found.hexdigest())
"""


def trace_of(build: str, *what: str) -> str:
    """A digest of the traces of a small network."""
    ran = subprocess.run(
        [sys.executable, "-c", TRACE, *what],
        env={**os.environ, SWITCH: build},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.skipif(array_kernels() is None, reason="no kernels here")
@pytest.mark.parametrize(
    ("build", "what"),
    [("portable", ("lif", "events")), ("portable", ("plif", "images")), ("avx2", ("plif", "events"))],
)
def test_traces_are_equal_on_all_processors(build: str, what: tuple[str, str]) -> None:
    if build == "avx2" and platform.machine() != "x86_64":
        pytest.skip("no such processor")
    assert trace_of("", *what) == trace_of(build, *what)
