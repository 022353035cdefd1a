"""The network as the chip runs it: per row of work, what one time step reads, computes, keeps and writes.

Rows of work are the synaptic layers and the attentions, in order of execution. LIF neurons and max-pools
belong to a synaptic layer: the one whose outputs they threshold, or, where they read the residual stream, the
one that reads their spikes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.network.geometry import NetworkGeometry, SynapticLayer

__all__ = ["Dataflow", "dataflow"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataflow:
    """Integers per synaptic layer ``[L]`` and per attention ``[depth]``, of one executed time step."""

    rows: tuple[str, ...]
    """Names of the rows of work, in order of execution."""
    synaptic_row: Ints
    attention_row: Ints
    fan_in: Ints
    outputs: Ints
    """Output channels."""
    windows: Ints
    """Windows times bit planes."""
    block: Ints
    """Block whose attention the layer belongs to; -1 for none."""
    group: Ints
    """Layers with the same number read the same spikes and run at once."""
    segment: Ints
    """Layers between the same two attentions have the same number."""
    startup: NDArray[np.float64]
    """Share of a layer's time after which the next can begin: its first rows of windows."""
    producer: Ints
    """Layer next to whose arrays the input lies; -1 for the chip's input."""
    input_values: Ints
    """Input values times bits."""
    from_memory: NDArray[np.bool_]
    """Whether the input comes from off-chip memory."""
    membranes: Ints
    """Stateful neurons kept beside the layer's arrays."""
    neuron_cycles: Ints
    """Cycles to update them, one window's outputs at a time."""
    residual_reads: Ints
    residual_writes: Ints
    residual_adds: Ints
    """Values of the residual stream read, written and added."""
    live_values: Ints
    """Residual values alive while the layer runs."""
    pool_outputs: Ints
    pool_channels: Ints
    pool_on_spikes: NDArray[np.bool_]
    tokens: Ints
    """Per attention."""
    channels: Ints
    query: Ints
    """Synaptic layer of q; k and v follow it."""
    spikes_of_q: Ints
    """Index into ``geometry.neurons``."""
    spikes_of_k: Ints
    spikes_of_kv: Ints


def dataflow(geometry: NetworkGeometry) -> Dataflow:
    """Read the order of work, the owners of state and the residual stream off a geometry."""
    layers = geometry.synaptic
    index = {layer.name: i for i, layer in enumerate(layers)}
    neuron = {n.name: i for i, n in enumerate(geometry.neurons)}
    count = len(layers)
    zeros = np.zeros(count, dtype=np.int64)
    membranes, cycles = zeros.copy(), zeros.copy()
    reads, writes, adds, live = zeros.copy(), zeros.copy(), zeros.copy(), zeros.copy()
    pool_outputs, pool_channels, on_spikes = zeros.copy(), zeros.copy(), np.ones(count, dtype=bool)
    position = index["stem.position"]
    stream = layers[position].out_channels * layers[position].windows

    def host(layer: str, lif: str, *, reads_stream: int = 0) -> None:
        at, neurons = index[layer], geometry.neurons[neuron[lif]].neurons
        membranes[at] += neurons
        cycles[at] += -(-neurons // layers[at].out_channels)
        reads[at] += reads_stream

    for stage in range(3):
        host(f"stem.{stage}", "MS_SPS_lif" + (str(stage) if stage else ""))
    for pool in geometry.pools:
        at = index["stem." + pool.name.removeprefix("pool.")]
        pool_outputs[at], pool_channels[at], on_spikes[at] = (
            pool.outputs,
            layers[at].out_channels,
            pool.on_spikes,
        )
    host("stem.position", "MS_SPS_lif3", reads_stream=stream)
    for block in range(geometry.depth):
        name, ssa, mlp = f"block.{block}", f"MS_SSA_Conv{block}", f"MS_MLP_Conv{block}"
        host(f"{name}.q", f"{ssa}_first_lif", reads_stream=stream)
        for part in "qkv":
            host(f"{name}.{part}", f"{ssa}_{part}_lif")
        host(f"{name}.v", f"{ssa}_kv")
        host(f"{name}.fc1", f"{mlp}_fc1_lif", reads_stream=stream)
        host(f"{name}.fc1", f"{mlp}_fc2_lif")
    host("head", "head_lif", reads_stream=stream)

    writes[index["stem.3"]] = stream
    for at in (
        position,
        *(index[f"block.{b}.{part}"] for b in range(geometry.depth) for part in ("proj", "fc2")),
    ):
        reads[at] += stream
        writes[at] += stream
        adds[at] += stream
    adds[index["head"]] += stream  # mean over the tokens
    live[index["stem.3"] :] = stream

    rows: list[str] = []
    for layer in layers:
        if layer.name.endswith(".proj"):
            rows.append(geometry.attention[_block(layer)].name)
        rows.append(layer.name)
    sources = [layer.input_lif for layer in layers]
    blocks = range(geometry.depth)
    return Dataflow(
        rows=tuple(rows),
        synaptic_row=np.array([rows.index(layer.name) for layer in layers]),
        attention_row=np.array([rows.index(a.name) for a in geometry.attention], dtype=np.int64),
        fan_in=np.array([layer.fan_in for layer in layers]),
        outputs=np.array([layer.out_channels for layer in layers]),
        windows=np.array([layer.windows * layer.input_bits for layer in layers]),
        block=np.array([_block(layer) if layer.in_attention else -1 for layer in layers]),
        group=np.array([sources.index(source) for source in sources]),
        segment=np.array([_segment(layer, geometry.depth) for layer in layers]),
        startup=np.array([_startup(layer) for layer in layers]),
        producer=np.array([_producer(i, layer, index) for i, layer in enumerate(layers)]),
        input_values=np.array([n.in_channels * n.height * n.width * n.input_bits for n in layers]),
        from_memory=np.array([layer.input_lif is None for layer in layers]),
        membranes=membranes,
        neuron_cycles=cycles,
        residual_reads=reads,
        residual_writes=writes,
        residual_adds=adds,
        live_values=live,
        pool_outputs=pool_outputs,
        pool_channels=pool_channels,
        pool_on_spikes=on_spikes,
        tokens=np.array([a.tokens for a in geometry.attention], dtype=np.int64),
        channels=np.array([a.channels for a in geometry.attention], dtype=np.int64),
        query=np.array([index[f"block.{b}.q"] for b in blocks], dtype=np.int64),
        spikes_of_q=np.array([neuron[f"MS_SSA_Conv{b}_q_lif"] for b in blocks], dtype=np.int64),
        spikes_of_k=np.array([neuron[f"MS_SSA_Conv{b}_k_lif"] for b in blocks], dtype=np.int64),
        spikes_of_kv=np.array([neuron[f"MS_SSA_Conv{b}_kv_before"] for b in blocks], dtype=np.int64),
    )


def _segment(layer: SynapticLayer, depth: int) -> int:
    """A block's q, k and v end a segment; its projection begins one."""
    if layer.name == "head":
        return depth
    if layer.block is None:
        return 0
    return layer.block if layer.name.rpartition(".")[2] in ("q", "k", "v") else layer.block + 1


def _startup(layer: SynapticLayer) -> float:
    """A convolution with 3 x 3 windows needs three rows of the map before it; a linear layer a token."""
    if layer.kernel_size > 1:
        return min(1.0, layer.kernel_size / layer.height)
    return 1.0 / layer.windows


def _block(layer: SynapticLayer) -> int:
    return -1 if layer.block is None else layer.block


def _producer(position: int, layer: SynapticLayer, index: dict[str, int]) -> int:
    part = layer.name.rpartition(".")[2]
    if part in ("q", "k", "v"):
        # The residual stream lies where it was last written: before block 0 beside stem.position.
        return index[f"block.{_block(layer) - 1}.fc2"] if _block(layer) else index["stem.position"]
    return position - 1
