"""A trained network as its arrays compute it: the same network, its layers with weights replaced."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from aster_dse.network.folded import FoldedConvolution, FoldedNorm
from aster_dse.network.kernels.convolution import Events, events_of
from aster_dse.network.kernels.library import STEADY, Kernels, kernels_for
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.neurons import LIF, PLIF, FrozenPLIF
from aster_dse.network.synapses import synaptic_modules
from aster_dse.numerics.column_sums import Inputs
from aster_dse.numerics.compiled import Reading, events_of_bit, read_events
from aster_dse.numerics.kernels.library import array_kernels
from aster_dse.numerics.layer import ArrayLayer
from aster_dse.numerics.packed import PackedLayers, alike, can_pack, pack
from aster_dse.numerics.reference import layer_counts, layer_outputs
from aster_dse.workload import Workload

__all__ = ["ArrayConvolution", "ArrayObserver", "array_network"]


class ArrayObserver(Protocol):
    """Is told what layers read."""

    def counts(self, layer: ArrayLayer, counts: Tensor) -> None:
        """``[N, 3]`` driven rows, windows with one, (window, tile) pairs with one."""

    def inputs(self, layer: ArrayLayer, inputs: Inputs) -> None:
        """What it reads."""


class ArrayConvolution(FoldedConvolution):
    """One module of the network on arrays: a layer, or q, k and v.

    Args:
        layers: their outputs lie side by side.
        workload: of the layer that reads the network's input.
    """

    def __init__(self, layers: Sequence[ArrayLayer], workload: Workload | None = None) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.observer: ArrayObserver | None = None
        self.sample = 0
        """Number of the first sample of the batch, for the read noise."""
        self.adjust: Callable[[Sequence[ArrayLayer], Tensor], None] | None = None
        """Changes outputs ``[T, B, H, W, outputs]`` before anything reads them."""
        self._workload = workload
        self._packed: list[PackedLayers] | None = None

    @property
    def outputs(self) -> int:
        return sum(layer.layer.out_channels for layer in self.layers)

    def forward(self, x: Tensor) -> Tensor:
        """``[T, B, H, W, inputs]`` to ``[T, B, H, W, outputs]``."""
        steps, bits = x.shape[0], self.layers[0].layer.input_bits
        if self._workload is not None:
            x = _whole(x, self._workload)
        steady, arrays = self._kernels(x), array_kernels()
        if steady is None or arrays is None:
            return self._adjusted(self._by_reference(x.flatten(0, 1).contiguous(), steps))
        if self._workload is None and bits == 1:
            events = events_of(steady, x.flatten(0, 1).contiguous().float())
            if events.total < 0:
                raise ValueError(f"{self.layers[0].layer.name} reads what is neither 0 nor 1")
            return self._of_planes([events], steps)
        return self._of_planes([events_of_bit(arrays, x, bit) for bit in range(bits)], steps)

    def of_events(self, events: Events, steps: int) -> Tensor:
        return self._of_planes([events], steps)

    def _kernels(self, x: Tensor) -> Kernels | None:
        ready = x.device.type == "cpu" and all(can_pack(layer) for layer in self.layers)
        return kernels_for(x.new_empty(0, dtype=torch.float32), build=STEADY) if ready else None

    def _of_planes(self, planes: Sequence[Events], steps: int) -> Tensor:
        kernels = array_kernels()
        assert kernels is not None, "events come from kernels"
        images, height, width, _ = planes[0].shape
        out = torch.empty(images, height, width, self.outputs)
        if self._packed is None:
            # Neighbours that are alike are computed at once.
            self._packed = []
            for layer in self.layers:
                if self._packed and alike(self._packed[-1].layers[-1], layer):
                    self._packed[-1] = pack([*self._packed[-1].layers, layer])
                else:
                    self._packed.append(pack([layer]))
        at = 0
        for packed in self._packed:
            counts = None if self.observer is None else torch.zeros(images, 3, dtype=torch.int64)
            part = out[..., at : at + packed.outputs]
            read_events(kernels, planes, packed, part, Reading(images // steps, self.sample), counts)
            at += packed.outputs
            if self.observer is not None and counts is not None:
                for layer in packed.layers:
                    self.observer.counts(layer, counts)
                    self.observer.inputs(layer, planes)
        return self._adjusted(out.view(steps, -1, height, width, self.outputs))

    def _adjusted(self, out: Tensor) -> Tensor:
        if self.adjust is not None:
            self.adjust(self.layers, out)
        return out

    def _by_reference(self, flat: Tensor, steps: int) -> Tensor:
        parts = [
            layer_outputs(flat, layer, per_step=len(flat) // steps, sample=self.sample)
            for layer in self.layers
        ]
        if self.observer is not None:
            for layer in self.layers:
                self.observer.counts(layer, layer_counts(flat, layer))
                self.observer.inputs(layer, flat)
        return torch.cat(parts, dim=-1).view(steps, -1, *flat.shape[1:3], self.outputs)


class _FoldedPair(nn.Module):
    """Stands where a convolution with its batch norm was."""

    def __init__(self, conv: ArrayConvolution) -> None:
        super().__init__()
        self.conv = conv
        self.bn = FoldedNorm()


class _Head(nn.Module):
    def __init__(self, conv: ArrayConvolution) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, spikes: Tensor) -> Tensor:
        """``[T, B, C]`` to ``[T, B, classes]``."""
        logits: Tensor = self.conv(spikes[:, :, None, None])[:, :, 0, 0]
        return logits


def array_network(
    model: SpikeDrivenTransformer,
    layers: Sequence[ArrayLayer],
    workload: Workload,
) -> tuple[SpikeDrivenTransformer, tuple[ArrayConvolution, ...]]:
    """The network on its arrays, and its modules with weights in the order of execution.

    Args:
        layers: one for each of ``geometry.synaptic``, in its order.
    """
    by_name = {layer.layer.name: layer for layer in layers}
    # What takes the place of a module is, for the copy, the copy of that module: the weights are not copied.
    instead: dict[int, Any] = {
        id(node): FrozenPLIF(node) for node in model.modules() if isinstance(node, LIF | PLIF)
    }
    modules = []
    for place, module in enumerate(synaptic_modules(model)):
        conv = ArrayConvolution(
            [by_name[synapse.name] for synapse in module.synapses],
            workload if place == 0 else None,
        )
        replaced = getattr(module.owner, module.attribute)
        instead[id(replaced)] = _Head(conv) if module.owner is model else _FoldedPair(conv)
        modules.append(conv)
    changed = copy.deepcopy(model, instead).eval().requires_grad_(False)
    changed.build = STEADY
    return changed, tuple(modules)


def _whole(x: Tensor, workload: Workload) -> Tensor:
    """The bytes of the frames ``[..., C]``, from what the network reads of them."""
    if not workload.std and workload.scale == 1.0:
        return x
    if workload.std:
        x = x * x.new_tensor(workload.std) + x.new_tensor(workload.mean)
    return (x / workload.scale).round()
