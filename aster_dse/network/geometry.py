"""The shape of a Spike-Driven Transformer: what each layer reads, computes and writes, without its weights.

The hardware model places this on arrays, the activity trace counts events on it. Layer order here is the
order of every per-layer array in the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from aster_dse.errors import InputError
from aster_dse.space import NetworkConfig

__all__ = [
    "AttentionLayer",
    "NetworkGeometry",
    "NeuronLayer",
    "PoolLayer",
    "SynapticLayer",
    "check_network",
    "network_geometry",
]


@dataclass(frozen=True)
class SynapticLayer:
    """A layer with stationary weights: a stride-1, same-padded convolution, or a linear layer (kernel 1)."""

    name: str
    in_channels: int
    out_channels: int
    kernel_size: int
    height: int
    width: int
    input_bits: int = 1
    """1 for spikes; a direct-coded image is read bit-serially with more."""
    input_lif: str | None = None
    """The LIF whose (pooled) spikes it reads; None for the network's input."""
    block: int | None = None
    in_attention: bool = False
    """True for q, k, v and the projection: they do not run in a skipped block."""

    @property
    def fan_in(self) -> int:
        """Rows of the weight matrix, ordered (channel, kernel row, kernel column)."""
        return self.in_channels * self.kernel_size**2

    @property
    def windows(self) -> int:
        """Positions of the kernel in one time step: matrix-vector products."""
        return self.height * self.width

    @property
    def weights(self) -> int:
        return self.fan_in * self.out_channels

    @property
    def macs(self) -> int:
        """Dense multiply-accumulates of one time step, padding included."""
        return self.weights * self.windows


@dataclass(frozen=True)
class NeuronLayer:
    """LIF neurons, or (``stateful`` False) a product of spikes that is counted like one."""

    name: str
    """Name in the published firing log, e.g. ``MS_SSA_Conv0_q_lif``."""
    neurons: int
    block: int | None = None
    in_attention: bool = False
    stateful: bool = True


@dataclass(frozen=True)
class PoolLayer:
    """A 3x3 max-pool of the stem; on spikes (an OR) except in the last stage."""

    name: str
    outputs: int
    on_spikes: bool


@dataclass(frozen=True)
class AttentionLayer:
    """The spike-driven self-attention of one block: k AND v, count over tokens, threshold, q AND kv."""

    name: str
    block: int
    tokens: int
    channels: int


@dataclass(frozen=True)
class NetworkGeometry:
    """All layers in the order of execution."""

    synaptic: tuple[SynapticLayer, ...]
    neurons: tuple[NeuronLayer, ...]
    pools: tuple[PoolLayer, ...]
    attention: tuple[AttentionLayer, ...]
    timesteps: int
    classes: int
    input_neurons: int
    """Values of one input frame, channels x height x width."""

    @property
    def depth(self) -> int:
        return len(self.attention)

    @cached_property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.synaptic)


def check_network(config: NetworkConfig) -> None:
    """Make sure that the knobs of a network do not contradict each other.

    Raises:
        InputError: naming the knob that is to blame.
    """
    if config.event_mode and config.width % config.num_heads:
        raise InputError(
            "network.num_heads",
            f"{config.num_heads} does not divide the width {config.width}",
            "event mode pools the channels of each head",
        )
    if not all(1 <= int(divisor) <= config.width for divisor in config.stem.split("-")):
        raise InputError(
            "network.stem",
            f"{config.stem!r} leaves a stage of the stem without channels at width {config.width}",
            f"divisors from 1 to {config.width}",
        )


def network_geometry(
    config: NetworkConfig,
    *,
    in_channels: int,
    resolution: int,
    classes: int,
    timesteps: int,
    input_bits: int = 1,
) -> NetworkGeometry:
    """Lay out the network of ``config`` for square frames of ``resolution`` pixels.

    Args:
        input_bits: bits per input value, 1 for binary event frames.

    Raises:
        InputError: the network cannot exist (:func:`check_network`).

    Source: Yao et al., "Spike-driven Transformer", NeurIPS 2023, figure 2 and its published code.
    """
    check_network(config)
    channels = [config.width // int(divisor) for divisor in config.stem.split("-")]
    synaptic: list[SynapticLayer] = []
    neurons: list[NeuronLayer] = []
    pools: list[PoolLayer] = []
    size, previous, source, bits = resolution, in_channels, None, input_bits
    for stage, out in enumerate(channels):
        synaptic.append(SynapticLayer(f"stem.{stage}", previous, out, 3, size, size, bits, source))
        lif = "MS_SPS_lif" + (str(stage) if stage else "")
        if stage < 3:
            neurons.append(NeuronLayer(lif, out * size * size))
        if config.pooling[stage] == "1":
            size = (size - 1) // 2 + 1
            pools.append(PoolLayer(f"pool.{stage}", out * size * size, on_spikes=stage < 3))
        if stage == 3:
            neurons.append(NeuronLayer(lif, out * size * size))
        previous, source, bits = out, lif, 1
    width, hidden, tokens = config.width, config.mlp_ratio * config.width, size * size
    synaptic.append(SynapticLayer("stem.position", width, width, 3, size, size, 1, source))
    attention = []
    for block in range(config.depth):
        ssa, mlp = f"MS_SSA_Conv{block}", f"MS_MLP_Conv{block}"
        neurons.append(NeuronLayer(f"{ssa}_first_lif", width * tokens, block, True))
        for part in "qkv":
            synaptic.append(
                SynapticLayer(
                    f"block.{block}.{part}", width, width, 1, size, size, 1, f"{ssa}_first_lif", block, True
                )
            )
            neurons.append(NeuronLayer(f"{ssa}_{part}_lif", width * tokens, block, True))
        neurons.append(NeuronLayer(f"{ssa}_kv_before", width * tokens, block, True, stateful=False))
        neurons.append(NeuronLayer(f"{ssa}_kv", width, block, True))
        neurons.append(NeuronLayer(f"{ssa}_x_after_qkv", width * tokens, block, True, stateful=False))
        attention.append(AttentionLayer(f"block.{block}.sdsa", block, tokens, width))
        synaptic.append(
            SynapticLayer(
                f"block.{block}.proj", width, width, 1, size, size, 1, f"{ssa}_x_after_qkv", block, True
            )
        )
        neurons.append(NeuronLayer(f"{mlp}_fc1_lif", width * tokens, block))
        synaptic.append(
            SynapticLayer(f"block.{block}.fc1", width, hidden, 1, size, size, 1, f"{mlp}_fc1_lif", block)
        )
        neurons.append(NeuronLayer(f"{mlp}_fc2_lif", hidden * tokens, block))
        synaptic.append(
            SynapticLayer(f"block.{block}.fc2", hidden, width, 1, size, size, 1, f"{mlp}_fc2_lif", block)
        )
    neurons.append(NeuronLayer("head_lif", width))
    synaptic.append(SynapticLayer("head", width, classes, 1, 1, 1, 1, "head_lif"))
    return NetworkGeometry(
        tuple(synaptic),
        tuple(neurons),
        tuple(pools),
        tuple(attention),
        timesteps,
        classes,
        in_channels * resolution * resolution,
    )
