"""The Spike-Driven Transformer: event frames in, logits of every time step out.

Source of the function: Yao et al., "Spike-driven Transformer", NeurIPS 2023, and its published code; the
tests hold this module against outputs of that code.

Inside, activations lie as ``[T * B, C, H, W]`` in channels-last memory: convolutions and pools are fastest
there on a CPU, and a time-first view ``[T, B, H, W, C]``, whose pixels are the tokens, costs nothing.
"""

from __future__ import annotations

from typing import Protocol

import torch
from spikingjelly.activation_based import functional, layer
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from aster_dse.errors import InputError
from aster_dse.network.geometry import NetworkGeometry
from aster_dse.network.neurons import LIF, PLIF, surrogate_function
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


def _time_first(x: Tensor, steps: int) -> Tensor:
    """``[T * B, C, H, W]`` seen as ``[T, B, H, W, C]``."""
    merged, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(steps, merged // steps, height, width, channels)


def _images(x: Tensor) -> Tensor:
    """``[T, B, H, W, C]`` seen as ``[T * B, C, H, W]``."""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def _published(x: Tensor) -> Tensor:
    """``[T, B, H, W, C]`` seen as ``[T, B, C, H, W]``."""
    return x.movedim(-1, 2)


class _ConvNorm(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias: bool) -> None:
        super().__init__()
        self.conv = layer.Conv2d(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias, step_mode="s"
        )
        self.bn = layer.BatchNorm2d(out_channels, step_mode="s")
        nn.init.trunc_normal_(self.conv.weight, std=0.02)
        if bias:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor, repeats: int = 1) -> Tensor:
        """With ``repeats``, as if ``x`` stood that many times along the batch."""
        y: Tensor = self.conv(x)
        if repeats > 1:
            y = _images(_time_first(y, 1).expand(repeats, -1, -1, -1, -1))
        normed: Tensor = self.bn(y)
        return normed


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
        self.stages = nn.ModuleList(_ConvNorm(channels[i], channels[i + 1], 3, bias=False) for i in range(4))
        self.lifs = nn.ModuleList(neurons() for _ in range(4))
        self.pool = layer.MaxPool2d(3, stride=2, padding=1, step_mode="s")
        self.position = _ConvNorm(config.width, config.width, 3, bias=False)

    def forward(self, frames: Tensor, recorder: Recorder) -> Tensor:
        steps = frames.shape[0]
        recorder.synapse("stem.0", frames)
        if steps > 1 and frames.stride(0) == 0:
            # A repeated image: its first convolution is the same at every step.
            x = self.stages[0](frames[0].contiguous(memory_format=torch.channels_last), repeats=steps)
        else:
            x = self.stages[0](frames.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        for stage in range(4):
            if stage == 3 and self.pooling[stage]:
                x = self.pool(x)
            spikes = self.lifs[stage](_time_first(x, steps))
            recorder.spikes("MS_SPS_lif" + (str(stage) if stage else ""), _published(spikes))
            read = _images(spikes)
            if stage < 3 and self.pooling[stage]:
                read = self.pool(read)
            name = f"stem.{stage + 1}" if stage < 3 else "stem.position"
            recorder.synapse(name, _published(_time_first(read, steps)))
            if stage < 3:
                x = self.stages[stage + 1](read)
        stream: Tensor = self.position(read) + x
        return stream


class _Attention(nn.Module):
    """Spike-driven self-attention: no multiplication, ``q AND fires(count over tokens of k AND v)``."""

    def __init__(self, config: NetworkConfig, block: int, neurons: _NeuronFactory) -> None:
        super().__init__()
        self.name = f"MS_SSA_Conv{block}"
        self.block = block
        self.heads = config.num_heads if config.event_mode else 0
        self.first_lif = neurons()
        self.qkv = _ConvNorm(config.width, 3 * config.width, 1, bias=False)
        self.qkv_lif = neurons(groups=3)
        self.kv_lif = neurons(v_threshold=0.5)
        self.proj = _ConvNorm(config.width, config.width, 1, bias=True)

    def forward(self, x: Tensor, steps: int, recorder: Recorder) -> Tensor:
        spikes = self.first_lif(_time_first(x, steps))
        read = _published(spikes)
        recorder.spikes(f"{self.name}_first_lif", read)
        for part in "qkv":
            recorder.synapse(f"block.{self.block}.{part}", read)
        fused: Tensor = self.qkv_lif(_time_first(self.qkv(_images(spikes)), steps))
        q, k, v = fused.chunk(3, dim=-1)
        if self.heads:
            k, v = self._dilate_pixels(k), self._dilate_pixels(v)
        for part, values in zip("qkv", (q, k, v), strict=True):
            recorder.spikes(f"{self.name}_{part}_lif", _published(values))
        matches = k * v
        recorder.spikes(f"{self.name}_kv_before", _published(matches))
        if self.heads:
            matches = self._dilate_tokens(matches)
        kv = self.kv_lif(matches.sum((2, 3)))[:, :, None, None]
        recorder.spikes(f"{self.name}_kv", _published(kv))
        attended = q * kv
        if self.heads:
            attended = self._dilate_tokens(attended)
        recorder.spikes(f"{self.name}_x_after_qkv", _published(attended))
        recorder.synapse(f"block.{self.block}.proj", _published(attended))
        projected: Tensor = self.proj(_images(attended))
        return projected

    @staticmethod
    def _dilate_pixels(x: Tensor) -> Tensor:
        return _time_first(max_pool2d(_images(x), 3, stride=1, padding=1), x.shape[0])

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
        self.fc1 = _ConvNorm(config.width, hidden, 1, bias=True)
        self.fc2_lif = neurons()
        self.fc2 = _ConvNorm(hidden, config.width, 1, bias=True)

    def forward(self, x: Tensor, steps: int, recorder: Recorder) -> Tensor:
        spikes = self.fc1_lif(_time_first(x, steps))
        recorder.spikes(f"{self.name}_fc1_lif", _published(spikes))
        recorder.synapse(f"block.{self.block}.fc1", _published(spikes))
        hidden = self.fc1(_images(spikes))
        if self.inner_shortcut:
            x = hidden = hidden + x
        spikes = self.fc2_lif(_time_first(hidden, steps))
        recorder.spikes(f"{self.name}_fc2_lif", _published(spikes))
        recorder.synapse(f"block.{self.block}.fc2", _published(spikes))
        stream: Tensor = x + self.fc2(_images(spikes))
        return stream


class _Block(nn.Module):
    def __init__(self, config: NetworkConfig, block: int, neurons: _NeuronFactory) -> None:
        super().__init__()
        self.attention = _Attention(config, block, neurons)
        self.mlp = _Mlp(config, block, neurons)

    def forward(self, x: Tensor, steps: int, skip: bool, recorder: Recorder) -> Tensor:
        if not skip:
            x = x + self.attention(x, steps, recorder)
        y: Tensor = self.mlp(x, steps, recorder)
        return y


class SpikeDrivenTransformer(nn.Module):
    """The network of ``config`` with the input and the classes of ``geometry``.

    Args:
        surrogate: derivative of a spike in training; the published sigmoid of slope 4 by default.
    """

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
        if config.event_mode and config.width % config.num_heads:
            raise InputError(
                "network.num_heads",
                f"{config.num_heads} does not divide the width {config.width}",
                "event mode pools the channels of each head",
            )
        neurons = _NeuronFactory(config, surrogate or surrogate_function("sigmoid", 4.0))
        self.config = config
        self.geometry = geometry
        self.stem = _Stem(config, geometry.synaptic[0].in_channels, neurons)
        self.blocks = nn.ModuleList(_Block(config, i, neurons) for i in range(config.depth))
        self.head_lif = neurons()
        self.head = layer.Linear(config.width, geometry.classes, step_mode="s")
        for module in self.modules():
            if isinstance(module, layer.Conv2d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)

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
        expected = self.geometry.synaptic[0]
        if frames.ndim != 5 or frames.shape[2:] != (expected.in_channels, expected.height, expected.width):
            raise ValueError(
                f"frames of shape {tuple(frames.shape)} where [T, B, {expected.in_channels}, "
                f"{expected.height}, {expected.width}] is expected"
            )
        if not keep_state:
            self.reset()
        watch = recorder or _Silent()
        steps = frames.shape[0]
        x = self.stem(frames, watch)
        for index, block in enumerate(self.blocks):
            x = block(x, steps, index in skipped, watch)
        spikes = self.head_lif(x.mean((2, 3)).view(steps, frames.shape[1], -1))
        read = spikes[..., None, None]
        watch.spikes("head_lif", read)
        watch.synapse("head", read)
        logits: Tensor = self.head(spikes)
        if not keep_state:
            self.reset()
        return logits

    def reset(self) -> None:
        """Bring every membrane potential to rest."""
        # Not reset_net(self): it calls this very method.
        for part in self.children():
            functional.reset_net(part)
