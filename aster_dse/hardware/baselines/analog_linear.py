"""A layer by IBM's aihwkit-lightning: one ``AnalogLinear`` per tile, slice and side.

Source: aihwkit-lightning 2.1. Its converter rounds half to even within plus and minus ``out_bound`` times the
largest weight of a tile, in ``out_res`` steps: with ``out_res = 2 (L - 1)`` our L levels are the upper half.
Inputs are given a fixed range of 1, since by default it learns one that clips spikes.
"""

from __future__ import annotations

import contextlib
import io
from importlib import metadata, util

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import unfold

from aster_dse.hardware.baselines.stored_layers import StoredLayer

__all__ = ["analog_linear_outputs", "analog_linear_version"]

_ONE = 1 << 15


def analog_linear_version() -> str | None:
    """The version that is installed; None where there is none."""
    if util.find_spec("aihwkit_lightning") is None:
        return None
    try:
        return metadata.version("aihwkit-lightning")
    except metadata.PackageNotFoundError:
        return "of unknown version"


@torch.no_grad()
def analog_linear_outputs(layer: StoredLayer) -> NDArray[np.float32]:
    """``[windows, outputs]`` of the inputs of a layer."""
    total = torch.zeros((), dtype=torch.float64)
    driven = torch.zeros((), dtype=torch.float64)
    for plane, rows in enumerate(_planes(layer)):
        total = total + _plane(rows, layer).double() * 2**plane
        driven = driven + rows.sum(1, keepdim=True).double() * 2**plane
    if layer.column == "offset":
        total = total - driven * 2 ** (layer.weight_bits - 1)
    y = torch.from_numpy(layer.bias).double() + layer.step * total
    return np.asarray(y.float().numpy())


def _planes(layer: StoredLayer) -> list[Tensor]:
    """``[windows, fan-in]`` of zeros and ones, for each bit of the inputs."""
    inputs = torch.from_numpy(layer.inputs).long().movedim(-1, 1)
    bits = [((inputs >> bit) & 1).float() for bit in range(layer.input_bits)]
    found = [unfold(plane, layer.kernel, padding=layer.kernel // 2) for plane in bits]
    return [windows.transpose(1, 2).flatten(0, 1) for windows in found]


def _plane(rows: Tensor, layer: StoredLayer) -> Tensor:
    """``[windows, outputs]`` in units of the weights' step."""
    q = torch.from_numpy(layer.q.astype(np.int64))
    sides = [q + (1 << (layer.weight_bits - 1))] if layer.column == "offset" else [q.clamp(0), (-q).clamp(0)]
    full = (1 << layer.cell_bits) - 1
    total = torch.zeros(len(rows), len(q))
    for slice_, m in enumerate(layer.multipliers):
        for sign, side in zip((1, -1), sides, strict=False):
            cells = ((side >> (layer.cell_bits * slice_)) & full).float()
            for start in range(0, cells.shape[1], layer.rows):
                tile = slice(start, start + layer.rows)
                read = _read(rows[:, tile], cells[:, tile], (layer.levels - 1) * _ONE / m, layer.levels)
                total += read * (sign * 2 ** (layer.cell_bits * slice_))
    return total


def _read(rows: Tensor, cells: Tensor, top: float, levels: int) -> Tensor:
    """Column sums as a converter reads them, up to ``top`` cell levels."""
    largest = float(cells.max())
    if largest == 0.0:
        return torch.zeros(len(rows), len(cells))
    # It says on standard output that it will not use Triton.
    with contextlib.redirect_stdout(io.StringIO()):
        from aihwkit_lightning.nn import AnalogLinear
        from aihwkit_lightning.simulator.configs import TorchInferenceRPUConfig
    config = TorchInferenceRPUConfig()
    config.forward.out_res = 2 * (levels - 1)
    config.forward.out_bound = top / largest
    config.pre_post.input_range.enable = True
    config.pre_post.input_range.learn_input_range = False
    config.pre_post.input_range.init_value = 1.0
    config.pre_post.input_range.init_from_data = 0
    linear = AnalogLinear(cells.shape[1], len(cells), bias=False, rpu_config=config).eval()
    linear.weight.copy_(cells)
    read: Tensor = linear(rows)
    return read
