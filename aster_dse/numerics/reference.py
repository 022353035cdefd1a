"""The definition of a layer on arrays, in plain torch: slice by slice, tile by tile, on any device.

The compiled kernels give the same bits, faster. What a converter says is an integer, and where its sum lies
on half a step the integers decide. Cells are kept on the device, and many windows are read in parts, so that
networks of ImageNet's size fit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import unfold

from aster_dse.numerics.cells import column_keys, mixed, next_key
from aster_dse.numerics.layer import ArrayLayer

__all__ = ["column_histogram", "layer_counts", "layer_outputs"]

_SUMS = 1 << 25
"""Column sums of a tile that are held at once: some 1 GiB with what is made of them."""


def layer_outputs(
    inputs: Tensor, layer: ArrayLayer, *, per_step: int | None = None, sample: int = 0
) -> Tensor:
    """``[N, H, W, outputs]`` float32 of the inputs ``[N, H, W, C]``, whole numbers of ``input_bits`` bits.

    Args:
        per_step: images of one time step, and ``sample`` the first of them: read noise depends on both.
    """
    images, height, width, _ = inputs.shape
    sums = torch.zeros((), dtype=torch.int64, device=inputs.device)
    for plane, rows in enumerate(_planes(inputs, layer)):
        parts, start = [], 0
        for some in _parts(rows, _on_device(layer, "cells", rows.device)):
            noise = None
            if layer.noisy:
                noise = _Noise(layer, per_step or images, sample, plane, height * width, start)
            parts.append(_digital_sums(some, layer, noise))
            start += len(some)
        sums = sums + (torch.cat(parts, dim=1) << plane)
    bias = torch.from_numpy(layer.weights.bias).to(inputs.device)
    y = bias.expand(images, height * width, -1).reshape(-1, bias.shape[-1]).clone()
    for total, scale in zip(sums, layer.scales, strict=True):
        y += float(scale) * total.float()
    if layer.row_offsets is not None:
        driven = sum(
            rows.sum(1, dtype=torch.int64) << plane for plane, rows in enumerate(_planes(inputs, layer))
        )
        for worth in layer.row_offsets:
            y -= float(worth) * torch.as_tensor(driven).float()[:, None]
    return y.view(images, height, width, -1)


def column_histogram(inputs: Tensor, layer: ArrayLayer) -> Tensor:
    """``[slices, sums]``, how often each sum of nominal cells occurs in a (window, tile) with a spike."""
    cells = _on_device(layer, "calibration_cells", inputs.device)
    height = layer.arrays.rows
    longest = max(
        int(layer.calibration_cells[..., start : start + height].sum(-1).max())
        for start in range(0, layer.layer.fan_in, height)
    )
    total = torch.zeros(len(cells), longest + 1, dtype=torch.int64, device=inputs.device)
    for rows in _planes(inputs, layer):
        for some in _parts(rows, cells):
            for part, tile in _tiles(some, layer):
                driven = part[part.any(1)]
                for slice_, of_slice in enumerate(cells):
                    sums = _column_sums(driven, of_slice[:, :, tile])
                    total[slice_] += torch.bincount(sums.reshape(-1), minlength=longest + 1)
    seen = torch.nonzero(total.any(0))
    return total[:, : int(seen[-1]) + 1 if len(seen) else 1]


def layer_counts(inputs: Tensor, layer: ArrayLayer) -> Tensor:
    """``[N, 3]`` driven rows, windows with one, (window, tile) pairs with one; over all bit planes."""
    total = torch.zeros(len(inputs), 3, dtype=torch.int64, device=inputs.device)
    for rows in _planes(inputs, layer):
        by_image = rows.view(len(inputs), -1, rows.shape[1])
        total[:, 0] += by_image.sum((1, 2))
        total[:, 1] += by_image.any(2).sum(1)
        for part, _ in _tiles(rows, layer):
            total[:, 2] += part.view(len(inputs), -1, part.shape[1]).any(2).sum(1)
    return total


def _planes(inputs: Tensor, layer: ArrayLayer) -> Iterator[Tensor]:
    """Which rows each window drives, ``[windows, fan-in]``, for each bit of the inputs."""
    whole = inputs.to(torch.int64)
    kernel = layer.layer.kernel_size
    for bit in range(layer.layer.input_bits):
        plane = ((whole >> bit) & 1).permute(0, 3, 1, 2)
        rows = unfold(plane.float(), kernel, padding=kernel // 2) if kernel > 1 else plane.flatten(2).float()
        yield rows.transpose(1, 2).reshape(-1, rows.shape[1]) != 0


def _parts(rows: Tensor, cells: Tensor) -> Iterator[Tensor]:
    """The windows in parts that, as their column sums, take no more than ``_SUMS`` numbers."""
    each = max(cells.shape[1] * cells.shape[2], rows.shape[1])
    yield from torch.split(rows, max(_SUMS // each, 1))


def _on_device(layer: ArrayLayer, name: str, device: torch.device) -> Tensor:
    """Cells of a layer; elsewhere than on the CPU they are kept, in 32 bits, which hold each of them."""
    if device.type == "cpu":
        return torch.from_numpy(getattr(layer, name))
    key = f"{name} {device}"
    if key not in layer.on_devices:
        layer.on_devices[key] = torch.from_numpy(getattr(layer, name)).to(device, torch.int32)
    return layer.on_devices[key]


def _tiles(rows: Tensor, layer: ArrayLayer) -> Iterator[tuple[Tensor, slice]]:
    height = layer.arrays.rows
    for start in range(0, rows.shape[1], height):
        yield rows[:, start : start + height], slice(start, start + height)


def _column_sums(rows: Tensor, cells: Tensor) -> Tensor:
    """``[windows, sides, outputs]`` of cells ``[sides, outputs, rows]``; doubles hold such integers."""
    sums = rows.double() @ cells.flatten(0, 1).T.double()
    return sums.to(torch.int64).view(len(rows), *cells.shape[:2])


def _digital_sums(rows: Tensor, layer: ArrayLayer, noise: _Noise | None) -> Tensor:
    """``[slices, windows, outputs]`` codes summed over the tiles, plus side less minus side."""
    if layer.arrays.compute == "digital":
        return _column_sums(rows, _on_device(layer, "whole_weights", rows.device)[None])[:, 0][None]
    cells = _on_device(layer, "cells", rows.device)
    total = torch.zeros(len(cells), len(rows), cells.shape[2], dtype=torch.int64, device=rows.device)
    for number, (part, tile) in enumerate(_tiles(rows, layer)):
        for slice_, m in enumerate(layer.multipliers):
            sums = _column_sums(part, cells[slice_][:, :, tile])
            if not layer.exact:
                added = 1 << (14 + layer.fine)
                read = sums * m + added
                if noise is not None:
                    read = noise.added_to(read, part, slice_, number)
                sums = (read >> (15 + layer.fine)).clamp(0, layer.highest_code)
                if noise is not None and layer.event_gating:
                    sums *= part.any(1)[:, None, None]
            total[slice_] += sums[:, 0] - sums[:, 1] if sums.shape[1] > 1 else sums[:, 0]
    return total


class _Noise:
    """Read noise of every conversion of a plane's windows from ``start`` on; the kernels have the same."""

    def __init__(
        self, layer: ArrayLayer, per_step: int, sample: int, plane: int, windows: int, start: int
    ) -> None:
        self._start = start
        self._table = layer.noise.astype(np.int64)
        self._same = bool((self._table == self._table[0]).all())
        self._columns = column_keys(layer.levels.shape[:3], layer.number, layer.chip.number)
        self._per_step, self._sample, self._plane, self._windows = per_step, sample, plane, windows

    def added_to(self, read: Tensor, rows: Tensor, slice_: int, tile: int) -> Tensor:
        if self._same:  # no random numbers are needed
            return read + int(self._table[0])
        numbers = np.arange(self._start, self._start + len(rows), dtype=np.uint64)
        image, window = np.divmod(numbers, np.uint64(self._windows))
        per_step = np.uint64(self._per_step)
        key = np.zeros(len(rows), dtype=np.uint64)
        for place in (
            np.uint64(self._sample) + image % per_step, image // per_step, np.uint64(self._plane), window,
            np.uint64(tile),
        ):  # fmt: skip
            key = next_key(key, place)
        with np.errstate(over="ignore"):
            drawn = mixed(key[:, None, None] + self._columns[slice_][None]) >> np.uint64(48)
        return read + torch.from_numpy(self._table[drawn.astype(np.int64)]).to(read.device)
