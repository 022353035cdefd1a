"""Runs a trained network over its validation samples and counts what every layer does.

One pass per skip set: the blocks are skipped in the order of their activity, which is calibrated on training
samples without any skipping and not again afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import unfold

from aster_dse.activity.trace import ActivityTrace
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.space import ROW_SIZES
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import Feed, predict_logits, torch_threads
from aster_dse.workload import Split, Workload

__all__ = ["CALIBRATION_SAMPLES", "block_activity", "firing_rates", "record_trace"]

CALIBRATION_SAMPLES = 256
"""Training samples over which the activity of the blocks is averaged."""

_BATCH = 64
"""Samples per forward pass; bounds the memory of the unfolded windows."""


def record_trace(trained: TrainedNetwork, workload: Workload, *, threads: int = 1) -> ActivityTrace:
    """The activity trace of a network on the validation split of its workload."""
    device = next(trained.model.parameters()).device
    geometry = trained.geometry
    with torch_threads(threads):
        rates = firing_rates(trained.model, workload)
        activity = block_activity(geometry, rates)
        order = np.argsort(activity, kind="stable")
        feed = Feed(workload.validation, workload, device)
        shape = (geometry.depth + 1, len(feed), geometry.timesteps)
        logits = np.empty((*shape, geometry.classes), dtype=np.float32)
        counts = _Counts(geometry, shape)
        for skips in range(geometry.depth + 1):
            skipped = frozenset(int(block) for block in order[:skips])
            counter = _Counter(geometry, counts, skips)
            logits[skips] = predict_logits(
                trained.model, feed, batch_size=_BATCH, skipped=skipped, recorder=counter
            )
    return ActivityTrace(
        geometry=geometry,
        labels=workload.validation.labels.astype(np.int64),
        block_activity=activity,
        firing_rate=rates,
        logits=logits,
        spikes=counts.spikes,
        driven_rows=counts.driven_rows,
        active_windows=counts.active_windows,
        active_accesses=counts.active_accesses,
    )


def firing_rates(
    model: SpikeDrivenTransformer, workload: Workload, *, samples: int = CALIBRATION_SAMPLES
) -> dict[str, NDArray[np.float64]]:
    """Mean firing rate of every neuron layer at every step, ``[T]``, on the first training samples."""
    split = Split(workload.train.frames[:samples], workload.train.labels[:samples])
    meter = _RateMeter()
    feed = Feed(split, workload, next(model.parameters()).device)
    predict_logits(model, feed, batch_size=_BATCH, recorder=meter)
    return {name: total / meter.samples[name] for name, total in meter.totals.items()}


def block_activity(geometry: NetworkGeometry, rates: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """``[depth]`` firing rate of q AND kv of every block, averaged over the steps."""
    return np.array(
        [rates[f"MS_SSA_Conv{block}_x_after_qkv"].mean() for block in range(geometry.depth)],
        dtype=np.float64,
    )


class _RateMeter:
    def __init__(self) -> None:
        self.totals: dict[str, NDArray[np.float64]] = {}
        self.samples: dict[str, int] = {}

    def spikes(self, name: str, values: Tensor) -> None:
        neurons = values[0, 0].numel()
        total = values.flatten(1).sum(1, dtype=torch.float64).cpu().numpy() / neurons
        self.totals[name] = self.totals.get(name, 0.0) + total
        self.samples[name] = self.samples.get(name, 0) + values.shape[1]

    def synapse(self, name: str, inputs: Tensor) -> None:
        pass


class _Counts:
    """The counts of all skip sets; layers that do not run keep their zeros."""

    def __init__(self, geometry: NetworkGeometry, shape: tuple[int, int, int]) -> None:
        synaptic = len(geometry.synaptic)
        self.spikes = np.zeros((*shape, len(geometry.neurons)), dtype=np.int32)
        self.driven_rows = np.zeros((*shape, synaptic), dtype=np.int32)
        self.active_windows = np.zeros((*shape, synaptic), dtype=np.int32)
        self.active_accesses = np.zeros((*shape, synaptic, len(ROW_SIZES)), dtype=np.int32)


class _Counter:
    """Fills the counts of one skip set, batch after batch in the order of the samples."""

    def __init__(self, geometry: NetworkGeometry, counts: _Counts, skips: int) -> None:
        self._neurons = {neuron.name: i for i, neuron in enumerate(geometry.neurons)}
        self._synaptic = {layer.name: i for i, layer in enumerate(geometry.synaptic)}
        self._layers = geometry.synaptic
        self._counts = counts
        self._skips = skips
        self._done: dict[str, int] = {}
        self._last: tuple[Tensor, tuple[NDArray[np.int64], ...]] | None = None

    def spikes(self, name: str, values: Tensor) -> None:
        counted = values.flatten(2).sum(2, dtype=torch.int64)
        self._counts.spikes[self._skips, self._samples(name, values), :, self._neurons[name]] = (
            counted.T.cpu().numpy()
        )

    def synapse(self, name: str, inputs: Tensor) -> None:
        index = self._synaptic[name]
        layer = self._layers[index]
        # q, k and v read one tensor.
        if self._last is None or self._last[0] is not inputs:
            self._last = inputs, _window_counts(inputs, layer.kernel_size, layer.input_bits)
        driven, windows, accesses = self._last[1]
        samples = self._samples(name, inputs)
        self._counts.driven_rows[self._skips, samples, :, index] = driven.T
        self._counts.active_windows[self._skips, samples, :, index] = windows.T
        self._counts.active_accesses[self._skips, samples, :, index] = accesses.swapaxes(0, 1)

    def _samples(self, name: str, values: Tensor) -> slice:
        first = self._done.get(name, 0)
        self._done[name] = first + values.shape[1]
        return slice(first, first + values.shape[1])


def _window_counts(inputs: Tensor, kernel: int, bits: int) -> tuple[NDArray[np.int64], ...]:
    """Driven rows ``[T, B]``, active windows ``[T, B]``, active accesses ``[T, B, len(ROW_SIZES)]``.

    A layer that reads ``bits`` > 1 is driven once per bit plane.
    """
    steps = inputs.shape[0]
    repeated = steps > 1 and inputs.stride(0) == 0
    seen = inputs[:1] if repeated else inputs
    if bits == 1:
        planes = [seen != 0]
    else:
        levels = (seen * (2**bits - 1)).round().to(torch.int64)
        planes = [(levels >> bit) & 1 != 0 for bit in range(bits)]
    totals = [_plane_counts(plane, kernel) for plane in planes]
    summed = [np.sum(parts, axis=0) for parts in zip(*totals, strict=True)]
    if repeated:
        summed = [np.repeat(part, steps, axis=0) for part in summed]
    return tuple(summed)


def _plane_counts(plane: Tensor, kernel: int) -> tuple[NDArray[np.int64], ...]:
    steps, batch = plane.shape[:2]
    images = plane.flatten(0, 1)
    windowed = kernel > 1
    rows = unfold(images.float(), kernel, padding=kernel // 2) != 0 if windowed else images.flatten(2)
    fold = _by_step(steps, batch)
    driven = fold(rows.flatten(1).sum(1))
    windows = fold(rows.any(1).sum(1))
    accesses = []
    tiles, height = rows, 1
    for size in ROW_SIZES:
        tiles = _any_of(tiles, size // height)
        height = size
        accesses.append(fold(tiles.flatten(1).sum(1)))
    return driven, windows, np.stack(accesses, axis=-1)


def _by_step(steps: int, batch: int) -> Callable[[Tensor], NDArray[np.int64]]:
    return lambda counts: counts.to(torch.int64).reshape(steps, batch).cpu().numpy()


def _any_of(rows: Tensor, group: int) -> Tensor:
    """``[M, R, W]`` to ``[M, ceil(R / group), W]``: whether any of the rows of a group is driven."""
    missing = -rows.shape[1] % group
    if missing:
        rows = torch.nn.functional.pad(rows, (0, 0, 0, missing))
    return torch.unflatten(rows, 1, (-1, group)).any(2)
