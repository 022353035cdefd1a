"""Runs a trained network over its validation samples and counts what every layer does.

All skip sets in one go, sharing what they have in common: the blocks are skipped in the order of their
activity, which is calibrated on training samples without any skipping and not again afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import unfold

from aster_dse.activity.trace import ActivityTrace
from aster_dse.network.finite import check_answers
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.kernels.convolution import count_windows
from aster_dse.network.kernels.library import kernels_for
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.space import ROW_SIZES
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import Feed, predict_logits, torch_threads
from aster_dse.workload import Split, Workload

__all__ = [
    "CALIBRATION_SAMPLES",
    "block_activity",
    "calibration_split",
    "firing_rates",
    "record_trace",
]

CALIBRATION_SAMPLES = 256
"""Training samples over which the activity of the blocks is averaged."""

_BATCH = 64
"""Samples per forward pass; bounds the memory of the unfolded windows."""


def record_trace(
    trained: TrainedNetwork,
    workload: Workload,
    *,
    split: Literal["validation", "test"] = "validation",
    threads: int = 1,
) -> ActivityTrace:
    """The activity trace of a network on a split of its workload, calibrated on the training split.

    Raises:
        NotFiniteAnswersError: it answers with NaN or infinity.
    """
    device = next(trained.model.parameters()).device
    geometry = trained.geometry
    samples: Split = getattr(workload, split)
    with torch_threads(threads), torch.no_grad():
        rates = firing_rates(trained.model, workload)
        activity = block_activity(geometry, rates)
        order = np.argsort(activity, kind="stable").tolist()
        sets = [frozenset(order[:skips]) for skips in range(geometry.depth + 1)]
        feed = Feed(samples, workload, device)
        shape = (len(sets), len(feed), geometry.timesteps)
        logits = np.empty((*shape, geometry.classes), dtype=np.float32)
        counts = _Counts(geometry, shape)
        trained.model.eval()
        for start in range(0, len(feed), _BATCH):
            part = slice(start, start + _BATCH)
            counter = _Counter(workload, geometry, counts, part)
            for skips, said in enumerate(
                trained.model.forward_sets(feed.frames(part), sets, counter.of_sets)
            ):
                logits[skips, part] = said.transpose(0, 1).cpu().numpy()
    check_answers(logits)
    return ActivityTrace(
        geometry=geometry,
        labels=samples.labels.astype(np.int64),
        block_activity=activity,
        firing_rate=rates,
        logits=logits,
        spikes=counts.spikes,
        driven_rows=counts.driven_rows,
        active_windows=counts.active_windows,
        active_accesses=counts.active_accesses,
    )


def calibration_split(workload: Workload, samples: int = CALIBRATION_SAMPLES) -> Split:
    """Training samples at equal distances: data sets in folders come class by class."""
    chosen = np.unique(np.linspace(0, len(workload.train) - 1, samples).round().astype(np.int64))
    return Split(workload.train.frames[chosen], workload.train.labels[chosen])


def firing_rates(
    model: SpikeDrivenTransformer, workload: Workload, *, samples: int = CALIBRATION_SAMPLES
) -> dict[str, NDArray[np.float64]]:
    """Mean firing rate of every neuron layer at every step, ``[T]``, on training samples."""
    meter = _RateMeter()
    feed = Feed(calibration_split(workload, samples), workload, next(model.parameters()).device)
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
    """Fills the counts of a batch of samples."""

    def __init__(
        self, workload: Workload, geometry: NetworkGeometry, counts: _Counts, samples: slice
    ) -> None:
        self.workload, self.counts, self.samples = workload, counts, samples
        self.neurons = {neuron.name: i for i, neuron in enumerate(geometry.neurons)}
        self.synaptic = {layer.name: i for i, layer in enumerate(geometry.synaptic)}
        self.layers = geometry.synaptic

    def of_sets(self, skips: tuple[int, ...]) -> _SetCounter:
        """Counts what these skip sets have in common."""
        return _SetCounter(self, skips)


class _SetCounter:
    def __init__(self, batch: _Counter, skips: tuple[int, ...]) -> None:
        self._batch, self._skips = batch, skips
        self._last: tuple[Tensor, tuple[NDArray[np.int64], ...]] | None = None

    def spikes(self, name: str, values: Tensor) -> None:
        counted = values.flatten(2).sum(2, dtype=torch.int64).T.cpu().numpy()
        for skips in self._skips:
            self._batch.counts.spikes[skips, self._batch.samples, :, self._batch.neurons[name]] = counted

    def synapse(self, name: str, inputs: Tensor) -> None:
        index = self._batch.synaptic[name]
        layer = self._batch.layers[index]
        # q, k and v read one tensor.
        if self._last is None or self._last[0] is not inputs:
            read = inputs if layer.input_bits == 1 else _levels(inputs, self._batch.workload)
            self._last = inputs, _window_counts(read, layer.kernel_size, layer.input_bits)
        driven, windows, accesses = self._last[1]
        counts, samples = self._batch.counts, self._batch.samples
        for skips in self._skips:
            counts.driven_rows[skips, samples, :, index] = driven.T
            counts.active_windows[skips, samples, :, index] = windows.T
            counts.active_accesses[skips, samples, :, index] = accesses.swapaxes(0, 1)


def _levels(inputs: Tensor, workload: Workload) -> Tensor:
    """The bytes of the frames, from what the network reads of them."""
    steps = inputs.shape[0]
    repeated = steps > 1 and inputs.stride(0) == 0
    seen = inputs[:1] if repeated else inputs
    if workload.std:
        by_channel = (1, 1, -1, 1, 1)
        seen = seen * seen.new_tensor(workload.std).view(by_channel)
        seen = seen + seen.new_tensor(workload.mean).view(by_channel)
    levels = (seen / workload.scale).round().to(torch.int64)
    return levels.expand(steps, -1, -1, -1, -1) if repeated else levels


def _window_counts(inputs: Tensor, kernel: int, bits: int) -> tuple[NDArray[np.int64], ...]:
    """Driven rows ``[T, B]``, active windows ``[T, B]``, active accesses ``[T, B, len(ROW_SIZES)]``.

    Args:
        inputs: spikes, or for a layer that reads ``bits`` > 1 whole numbers: it is driven once per bit plane.
    """
    steps = inputs.shape[0]
    repeated = steps > 1 and inputs.stride(0) == 0
    seen = inputs[:1] if repeated else inputs
    planes = [seen != 0] if bits == 1 else [(seen >> bit) & 1 != 0 for bit in range(bits)]
    totals = [_plane_counts(plane, kernel) for plane in planes]
    summed = [np.sum(parts, axis=0) for parts in zip(*totals, strict=True)]
    if repeated:
        summed = [np.repeat(part, steps, axis=0) for part in summed]
    return tuple(summed)


def _plane_counts(plane: Tensor, kernel: int) -> tuple[NDArray[np.int64], ...]:
    steps, batch = plane.shape[:2]
    images = plane.flatten(0, 1)
    spikes = images.permute(0, 2, 3, 1).float()
    kernels = kernels_for(spikes)
    if kernels is not None:
        counts = count_windows(kernels, spikes.contiguous(), kernel, ROW_SIZES).view(steps, batch, -1).numpy()
        return counts[..., 0], counts[..., 1], counts[..., 2:]
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
