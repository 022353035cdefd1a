"""The Spike-Driven Transformer: event frames in, logits of every time step out.

Source of the function: Yao et al., "Spike-driven Transformer", NeurIPS 2023, and its published code; the
tests hold this module against outputs of that code.

Inside, activations lie as ``[T, B, H, W, C]``, see :mod:`aster_dse.network.layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from spikingjelly.activation_based import functional, layer
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from aster_dse.network.folded import FoldedConvolution, FoldedNorm
from aster_dse.network.geometry import NetworkGeometry, check_network
from aster_dse.network.kernels.library import FAST, Build
from aster_dse.network.layers import BatchNorm, ConvNorm, Convolution, attend, fire, fire_convolve
from aster_dse.network.neurons import LIF, PLIF, surrogate_function
from aster_dse.network.sequences import images, pool, sequence, token_mean
from aster_dse.space import NetworkConfig

__all__ = ["Recorder", "SpikeDrivenTransformer"]


class Recorder(Protocol):
    """Watches a forward pass. The tensors are views of live activations: read them, keep no reference."""

    def spikes(self, name: str, values: Tensor) -> None:
        """Output of a neuron layer of the geometry by its published log name, ``[T, B, C, H, W]``."""

    def synapse(self, name: str, inputs: Tensor) -> None:
        """What a synaptic layer of the geometry reads, after any pool, ``[T, B, C, H, W]``."""


class _Silent:
    def spikes(self, name: str, values: Tensor) -> None:
        pass

    def synapse(self, name: str, inputs: Tensor) -> None:
        pass


def _published(x: Tensor) -> Tensor:
    """``[T, B, H, W, C]`` seen as ``[T, B, C, H, W]``."""
    return x.movedim(-1, 2)


@dataclass(frozen=True)
class _Watch:
    """How a forward pass is run."""

    recorder: Recorder
    seen: bool
    """Somebody wants to see every spike, so none may stay inside a fused layer."""
    keep: bool
    """Go on from the membrane potentials of the last call, and leave them for the next."""
    build: Build
    """Of the kernels."""

    def convolve(
        self,
        node: LIF | PLIF,
        y: Tensor,
        conv: Convolution | FoldedConvolution,
        *,
        norm: BatchNorm | FoldedNorm | None = None,
        pooled: bool = False,
        spikes: str,
        reads: Sequence[str],
    ) -> Tensor:
        """Neurons, and the convolution that reads them.

        Args:
            pooled: max-pool the spikes in between.
            spikes: name of the neurons in the log.
            reads: names of the convolution's layers in the geometry.
        """
        if not (self.seen or self.keep):
            return fire_convolve(node, y, conv, norm, pooled=pooled, build=self.build)
        fired = fire(node, y, norm, keep=self.keep, build=self.build)
        self.recorder.spikes(spikes, _published(fired))
        read = _published(pool(fired) if pooled else fired)
        for name in reads:
            self.recorder.synapse(name, read)
        return cast(Tensor, conv(read.movedim(2, -1)))


class _NeuronFactory:
    def __init__(self, config: NetworkConfig, surrogate: SurrogateFunctionBase) -> None:
        self.config = config
        self.surrogate = surrogate

    def __call__(self, v_threshold: float = 1.0, groups: int = 1) -> LIF | PLIF:
        if self.config.neuron == "plif":
            return PLIF(self.config.tau, self.surrogate, v_threshold, groups)
        return LIF(self.config.tau, self.surrogate, v_threshold)


class _Stem(nn.Module):
    """Four convolutions that turn frames into the membrane stream, and the positional branch."""

    def __init__(self, config: NetworkConfig, in_channels: int, neurons: _NeuronFactory) -> None:
        super().__init__()
        channels = [in_channels] + [config.width // int(divisor) for divisor in config.stem.split("-")]
        self.pooling = tuple(flag == "1" for flag in config.pooling)
        self.stages = nn.ModuleList(ConvNorm(channels[i], channels[i + 1], 3, bias=False) for i in range(4))
        self.lifs = nn.ModuleList(neurons() for _ in range(4))
        self.position = ConvNorm(config.width, config.width, 3, bias=False)

    def forward(self, frames: Tensor, watch: _Watch) -> Tensor:
        """The membrane stream ``[T, B, H, W, C]`` of frames ``[T, B, C, H, W]``."""
        steps = frames.shape[0]
        stages = [cast(ConvNorm, stage) for stage in self.stages]
        lifs = [cast(LIF | PLIF, lif) for lif in self.lifs]
        watch.recorder.synapse("stem.0", frames)
        repeated = steps > 1 and frames.stride(0) == 0
        # A repeated image: its first convolution is the same at every step.
        y: Tensor = stages[0].conv((frames[:1] if repeated else frames).movedim(2, -1))
        if repeated:
            y = y.expand(steps, -1, -1, -1, -1)
        for stage in range(3):
            y = watch.convolve(
                lifs[stage],
                y,
                stages[stage + 1].conv,
                norm=stages[stage].bn,
                pooled=self.pooling[stage],
                spikes=f"MS_SPS_lif{stage or ''}",
                reads=[f"stem.{stage + 1}"],
            )
        last = stages[3].bn
        x = last.pooled(y) if self.pooling[3] else last.add(y)
        branch = watch.convolve(lifs[3], x, self.position.conv, spikes="MS_SPS_lif3", reads=["stem.position"])
        return self.position.bn.add(branch, x)


class _Attention(nn.Module):
    """Spike-driven self-attention: no multiplication, ``q AND fires(count over tokens of k AND v)``."""

    def __init__(self, config: NetworkConfig, block: int, neurons: _NeuronFactory) -> None:
        super().__init__()
        self.name = f"MS_SSA_Conv{block}"
        self.block = block
        self.heads = config.num_heads if config.event_mode else 0
        self.first_lif = neurons()
        self.qkv = ConvNorm(config.width, 3 * config.width, 1, bias=False)
        self.qkv_lif = neurons(groups=3)
        self.kv_lif = neurons(v_threshold=0.5)
        self.proj = ConvNorm(config.width, config.width, 1, bias=True)

    def forward(self, x: Tensor, watch: _Watch) -> Tensor:
        recorder = watch.recorder
        y = watch.convolve(
            self.first_lif,
            x,
            self.qkv.conv,
            spikes=f"{self.name}_first_lif",
            reads=[f"block.{self.block}.{part}" for part in "qkv"],
        )
        fused = fire(self.qkv_lif, y, self.qkv.bn, keep=watch.keep, build=watch.build)
        if not (self.heads or watch.seen or watch.keep):
            attended = attend(self.kv_lif, fused, build=watch.build)
            if attended is not None:
                return self.proj.bn.add(self.proj.conv(attended), x)
        q, k, v = fused.chunk(3, dim=-1)
        if self.heads:
            k, v = self._dilate_pixels(k), self._dilate_pixels(v)
        for part, values in zip("qkv", (q, k, v), strict=True):
            recorder.spikes(f"{self.name}_{part}_lif", _published(values))
        matches = k * v
        recorder.spikes(f"{self.name}_kv_before", _published(matches))
        if self.heads:
            matches = self._dilate_tokens(matches)
        kv = fire(self.kv_lif, matches.sum((2, 3), keepdim=True), keep=watch.keep, build=watch.build)
        recorder.spikes(f"{self.name}_kv", _published(kv))
        attended = q * kv
        if self.heads:
            attended = self._dilate_tokens(attended)
        recorder.spikes(f"{self.name}_x_after_qkv", _published(attended))
        recorder.synapse(f"block.{self.block}.proj", _published(attended))
        return self.proj.bn.add(self.proj.conv(attended), x)

    @staticmethod
    def _dilate_pixels(x: Tensor) -> Tensor:
        return sequence(max_pool2d(images(x), 3, stride=1, padding=1), len(x))

    def _dilate_tokens(self, x: Tensor) -> Tensor:
        """3x3 max over (token, channel of the head): tokens in raster order, so rows of pixels touch."""
        steps, batch, height, width, channels = x.shape
        tokens = x.reshape(steps * batch, height * width, self.heads, channels // self.heads)
        pooled = max_pool2d(tokens.transpose(1, 2), 3, stride=1, padding=1)
        return pooled.transpose(1, 2).reshape(x.shape)


class _Mlp(nn.Module):
    def __init__(self, config: NetworkConfig, block: int, neurons: _NeuronFactory) -> None:
        super().__init__()
        hidden = config.mlp_ratio * config.width
        self.name = f"MS_MLP_Conv{block}"
        self.block = block
        self.inner_shortcut = hidden == config.width
        self.fc1_lif = neurons()
        self.fc1 = ConvNorm(config.width, hidden, 1, bias=True)
        self.fc2_lif = neurons()
        self.fc2 = ConvNorm(hidden, config.width, 1, bias=True)

    def forward(self, x: Tensor, watch: _Watch) -> Tensor:
        hidden = watch.convolve(
            self.fc1_lif, x, self.fc1.conv, spikes=f"{self.name}_fc1_lif", reads=[f"block.{self.block}.fc1"]
        )
        norm = None if self.inner_shortcut else self.fc1.bn
        if self.inner_shortcut:
            x = hidden = self.fc1.bn.add(hidden, x)
        y = watch.convolve(
            self.fc2_lif,
            hidden,
            self.fc2.conv,
            norm=norm,
            spikes=f"{self.name}_fc2_lif",
            reads=[f"block.{self.block}.fc2"],
        )
        return self.fc2.bn.add(y, x)


class _Block(nn.Module):
    def __init__(self, config: NetworkConfig, block: int, neurons: _NeuronFactory) -> None:
        super().__init__()
        self.attention = _Attention(config, block, neurons)
        self.mlp = _Mlp(config, block, neurons)

    def forward(self, x: Tensor, skip: bool, watch: _Watch) -> Tensor:
        stream: Tensor = self.mlp(x if skip else self.attention(x, watch), watch)
        return stream


class SpikeDrivenTransformer(nn.Module):
    """The network of ``config`` with the input and the classes of ``geometry``.

    Args:
        surrogate: derivative of a spike in training; the published sigmoid of slope 4 by default.
    """

    build: Build = FAST
    """Of the kernels that it runs on."""

    def __init__(
        self,
        config: NetworkConfig,
        geometry: NetworkGeometry,
        *,
        surrogate: SurrogateFunctionBase | None = None,
    ) -> None:
        super().__init__()
        if geometry.depth != config.depth or geometry.attention[0].channels != config.width:
            raise ValueError("the geometry belongs to another network configuration")
        check_network(config)
        neurons = _NeuronFactory(config, surrogate or surrogate_function("sigmoid", 4.0))
        self.config = config
        self.geometry = geometry
        self.stem = _Stem(config, geometry.synaptic[0].in_channels, neurons)
        self.blocks = nn.ModuleList(_Block(config, i, neurons) for i in range(config.depth))
        self.head_lif = neurons()
        self.head = layer.Linear(config.width, geometry.classes, step_mode="s")

    def forward(
        self,
        frames: Tensor,
        *,
        skipped: frozenset[int] = frozenset(),
        recorder: Recorder | None = None,
        keep_state: bool = False,
    ) -> Tensor:
        """Logits ``[T, B, classes]`` of every step alone, of frames ``[T, B, C, H, W]``.

        Args:
            skipped: blocks whose attention is left out; the membrane stream passes them unchanged.
            recorder: sees every spike and every synaptic input.
            keep_state: go on from the membrane potentials of the last call, and leave them for the next, so
                that a sequence can be run a few steps at a time; gradients do not cross calls. By default
                every call starts and ends at rest.
        """
        self._check(frames)
        if not keep_state:
            self.reset()
        watch = _Watch(recorder or _Silent(), recorder is not None, keep_state, self.build)
        x = self.stem(frames, watch)
        for index, block in enumerate(self.blocks):
            x = block(x, index in skipped, watch)
        logits = self._read_out(x, watch)
        if not keep_state:
            self.reset()
        return logits

    def forward_sets(
        self,
        frames: Tensor,
        sets: Sequence[frozenset[int]],
        recorder_of: Callable[[tuple[int, ...]], Recorder] | None = None,
    ) -> list[Tensor]:
        """What :meth:`forward` gives for each set of skipped blocks, to the bit.

        Sets that agree up to a block share its computation: the stem runs once.

        Args:
            recorder_of: gives the recorder of what the sets with these indices have in common.
        """
        self._check(frames)
        logits: list[Tensor] = [frames] * len(sets)

        def watch(members: tuple[int, ...]) -> _Watch:
            self.reset()
            recorder = _Silent() if recorder_of is None else recorder_of(members)
            return _Watch(recorder, recorder_of is not None, keep=False, build=self.build)

        def descend(x: Tensor, index: int, members: tuple[int, ...]) -> None:
            if index == len(self.blocks):
                read = self._read_out(x, watch(members))
                for member in members:
                    logits[member] = read
                return
            for skip in (False, True):
                some = tuple(member for member in members if (index in sets[member]) is skip)
                if some:
                    descend(self.blocks[index](x, skip, watch(some)), index + 1, some)

        everybody = tuple(range(len(sets)))
        descend(self.stem(frames, watch(everybody)), 0, everybody)
        self.reset()
        return logits

    def _check(self, frames: Tensor) -> None:
        expected = self.geometry.synaptic[0]
        if frames.ndim != 5 or frames.shape[2:] != (expected.in_channels, expected.height, expected.width):
            raise ValueError(
                f"frames of shape {tuple(frames.shape)} where [T, B, {expected.in_channels}, "
                f"{expected.height}, {expected.width}] is expected"
            )

    def _read_out(self, x: Tensor, watch: _Watch) -> Tensor:
        spikes = fire(self.head_lif, token_mean(x, watch.build), keep=watch.keep, build=watch.build)
        read = _published(spikes)
        watch.recorder.spikes("head_lif", read)
        watch.recorder.synapse("head", read)
        logits: Tensor = self.head(spikes[:, :, 0, 0])
        return logits

    def reset(self) -> None:
        """Bring every membrane potential to rest."""
        # Not reset_net(self): it calls this very method.
        for part in self.children():
            functional.reset_net(part)
