"""The layers with weights of a network, by the names that its geometry gives them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from aster_dse.network.layers import BatchNorm, ConvNorm
from aster_dse.network.model import SpikeDrivenTransformer

__all__ = ["Synapse", "SynapticModule", "synaptic_modules"]


@dataclass(frozen=True, eq=False)
class Synapse:
    """The weights of one layer of the geometry, and the norm that follows."""

    name: str
    weight: Tensor
    """``[outputs, inputs, k, k]``"""
    bias: Tensor | None
    norm: BatchNorm | None
    outputs: slice
    """Its part of the norm's channels."""

    @property
    def in_channels(self) -> int:
        return int(self.weight.shape[1])

    @property
    def kernel_size(self) -> int:
        return int(self.weight.shape[-1])


@dataclass(frozen=True, eq=False)
class SynapticModule:
    """A module of the network that computes one layer of the geometry, or q, k and v at once."""

    owner: nn.Module
    attribute: str
    """Where its owner keeps it: a convolution with its norm, or the head."""
    synapses: tuple[Synapse, ...]


def synaptic_modules(model: SpikeDrivenTransformer) -> Iterator[SynapticModule]:
    """The modules in the order of execution."""
    for stage in range(4):
        yield _convolution(model.stem.stages, str(stage), (f"stem.{stage}",))
    yield _convolution(model.stem, "position", ("stem.position",))
    for index, block in enumerate(model.blocks):
        name = f"block.{index}"
        yield _convolution(block.attention, "qkv", tuple(f"{name}.{part}" for part in "qkv"))
        yield _convolution(block.attention, "proj", (f"{name}.proj",))
        yield _convolution(block.mlp, "fc1", (f"{name}.fc1",))
        yield _convolution(block.mlp, "fc2", (f"{name}.fc2",))
    head = model.head
    weight = head.weight[:, :, None, None]
    yield SynapticModule(model, "head", (Synapse("head", weight, head.bias, None, slice(0, len(weight))),))


def _convolution(owner: object, attribute: str, names: tuple[str, ...]) -> SynapticModule:
    module = cast(nn.Module, owner)
    pair = cast(ConvNorm, module.get_submodule(attribute))
    weight, bias = pair.conv.weight, pair.conv.bias
    share = len(weight) // len(names)
    parts = [slice(place * share, (place + 1) * share) for place in range(len(names))]
    synapses = tuple(
        Synapse(name, weight[part], None if bias is None else bias[part], pair.bn, part)
        for name, part in zip(names, parts, strict=True)
    )
    return SynapticModule(module, attribute, synapses)
