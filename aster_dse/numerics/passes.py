"""A pass: a network on the arrays of one chip runs over samples, and everything that it did is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aster_dse.activity import ActivityTrace
from aster_dse.numerics.column_sums import Inputs
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.network import ArrayConvolution, array_network
from aster_dse.training import TrainedNetwork
from aster_dse.training.trained import Feed
from aster_dse.workload import Split, Workload

__all__ = ["array_logits", "run_pass"]

_BATCH = 64


@torch.no_grad()
def run_pass(
    trained: TrainedNetwork,
    workload: Workload,
    layers: Sequence[ArrayLayer],
    plain: ActivityTrace,
    *,
    split: Literal["validation", "test"] = "validation",
    on_samples: Callable[[int], None] | None = None,
) -> ActivityTrace:
    """The trace of the network on its arrays, for all skip sets.

    Accesses are counted for the arrays' own rows alone: the last axis of ``active_accesses`` is 1. Skip sets,
    the activity of the blocks and firing rates are those of the plain network.

    Args:
        layers: on their arrays, one for each of ``geometry.synaptic``.
        plain: trace of the plain network.
        on_samples: called with the number of samples of every batch.
    """
    geometry = trained.geometry
    samples: Split = getattr(workload, split)
    sets = plain.skip_sets
    network, modules = array_network(trained.model, layers, workload)
    feed = Feed(samples, workload, next(trained.model.parameters()).device)
    shape = (len(sets), len(feed), geometry.timesteps)
    counts = _Counts(shape, len(geometry.neurons), len(geometry.synaptic))
    logits = np.empty((*shape, geometry.classes), dtype=np.float32)
    neurons = {neuron.name: place for place, neuron in enumerate(geometry.neurons)}
    for start in range(0, len(feed), _BATCH):
        part = slice(start, start + _BATCH)
        frames = _frames(feed, part, layers[0])
        for module in modules:
            module.sample = start

        def counter(members: tuple[int, ...], part: slice = part, samples: int = frames.shape[1]) -> _Counter:
            return _Counter(counts, modules, neurons, members, part, samples)

        for skips, said in enumerate(network.forward_sets(frames, sets, counter)):
            logits[skips, part] = said.transpose(0, 1).cpu().numpy()
        if on_samples is not None:
            on_samples(frames.shape[1])
    return ActivityTrace(
        geometry=geometry,
        labels=samples.labels.astype(np.int64),
        block_activity=plain.block_activity,
        firing_rate=plain.firing_rate,
        logits=logits,
        spikes=counts.spikes,
        driven_rows=counts.layers[..., 0],
        active_windows=counts.layers[..., 1],
        active_accesses=counts.layers[..., 2:],
    )


@torch.no_grad()
def array_logits(
    trained: TrainedNetwork,
    workload: Workload,
    layers: Sequence[ArrayLayer],
    feed: Feed,
    sets: Sequence[frozenset[int]] = (frozenset(),),
) -> NDArray[np.float32]:
    """Logits ``[S, N, T, classes]`` of every step alone, without counts.

    Args:
        sets: blocks to skip, S times.
    """
    network, modules = array_network(trained.model, layers, workload)
    parts = []
    for start in range(0, len(feed), _BATCH):
        for module in modules:
            module.sample = start
        said = network.forward_sets(_frames(feed, slice(start, start + _BATCH), layers[0]), sets)
        parts.append(torch.stack(said).transpose(1, 2).cpu().numpy())
    return np.concatenate(parts, axis=1).astype(np.float32, copy=False)


def _frames(feed: Feed, part: slice, first: ArrayLayer) -> Tensor:
    """Inputs of the network, whose first layer is ``first``.

    A repeated image is one memory, which the network reads once; with read noise every step reads anew.
    """
    frames = feed.frames(part)
    return frames.contiguous() if first.noisy else frames


class _Counts:
    """The counts of all skip sets; layers that do not run keep their zeros."""

    def __init__(self, shape: tuple[int, int, int], neurons: int, layers: int) -> None:
        self.spikes = np.zeros((*shape, neurons), dtype=np.int32)
        self.layers = np.zeros((*shape, layers, 3), dtype=np.int32)


class _Counter:
    """Fills the counts of a batch for the skip sets that have this part of the network in common."""

    def __init__(
        self,
        counts: _Counts,
        modules: Sequence[ArrayConvolution],
        neurons: dict[str, int],
        members: tuple[int, ...],
        samples: slice,
        batch: int,
    ) -> None:
        self._counts, self._neurons = counts, neurons
        self._members, self._samples, self._batch = members, samples, batch
        for module in modules:
            module.observer = self

    def spikes(self, name: str, values: Tensor) -> None:
        counted = values.flatten(2).sum(2, dtype=torch.int64).T.cpu().numpy()
        for member in self._members:
            self._counts.spikes[member, self._samples, :, self._neurons[name]] = counted

    def synapse(self, name: str, inputs: Tensor) -> None:
        pass

    def counts(self, layer: ArrayLayer, counts: Tensor) -> None:
        # A static image is read once, which stands for every step.
        seen = counts.view(-1, self._batch, 3).transpose(0, 1).cpu().numpy()
        for member in self._members:
            self._counts.layers[member, self._samples, :, layer.number] = seen

    def inputs(self, layer: ArrayLayer, inputs: Inputs) -> None:
        pass
