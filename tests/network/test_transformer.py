"""What the network promises whoever trains, traces or runs it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from aster_dse.errors import InputError
from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.space import NetworkConfig

CONFIGS = [
    NetworkConfig(width=16, depth=2, stem="4-2-1-1", pooling="1101"),
    NetworkConfig(width=8, depth=1, pooling="0000", neuron="plif", mlp_ratio=1),
    NetworkConfig(width=24, depth=3, pooling="1111", mlp_ratio=2, event_mode=True, num_heads=4),
    NetworkConfig(width=16, depth=1, pooling="0010", tau=3.0),
]


def build(config: NetworkConfig, resolution: int = 15, timesteps: int = 3) -> SpikeDrivenTransformer:
    torch.manual_seed(0)
    geometry = network_geometry(config, in_channels=2, resolution=resolution, classes=5, timesteps=timesteps)
    model = SpikeDrivenTransformer(config, geometry).eval()
    with torch.no_grad():  # lively: without training, weights of std 0.02 fire nowhere
        for name, parameter in model.named_parameters():
            if name.endswith("conv.weight"):
                parameter.normal_(std=(2.0 / parameter[0].numel()) ** 0.5 * 4)
            if name.endswith("fc2.bn.bias"):
                parameter.uniform_(-1.0, 3.0)
    return model


def frames_for(geometry: NetworkGeometry, batch: int) -> Tensor:
    first = geometry.synaptic[0]
    shape = (geometry.timesteps, batch, first.in_channels, first.height, first.width)
    return (torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.4).float()


class Sizes:
    """Keeps what a recorder is called with."""

    def __init__(self) -> None:
        self.neurons: dict[str, Tensor] = {}
        self.inputs: dict[str, Tensor] = {}

    def spikes(self, name: str, values: Tensor) -> None:
        assert name not in self.neurons
        self.neurons[name] = values.clone()

    def synapse(self, name: str, inputs: Tensor) -> None:
        assert name not in self.inputs
        self.inputs[name] = inputs.clone()


@torch.no_grad()
@pytest.mark.parametrize("resolution", [15, 16])
@pytest.mark.parametrize("config", CONFIGS)
def test_geometry_agrees_with_the_module(config: NetworkConfig, resolution: int) -> None:
    model, seen = build(config, resolution), Sizes()
    geometry = model.geometry
    logits = model(frames_for(geometry, batch=2), recorder=seen)
    assert logits.shape == (3, 2, 5)
    assert list(seen.neurons) == [layer.name for layer in geometry.neurons]
    assert list(seen.inputs) == [layer.name for layer in geometry.synaptic]
    for neuron in geometry.neurons:
        values = seen.neurons[neuron.name]
        assert values.shape[:2] == (3, 2)
        assert values[0, 0].numel() == neuron.neurons, neuron.name
        assert set(values.unique().tolist()) <= {0.0, 1.0}
    for layer in geometry.synaptic:
        inputs = seen.inputs[layer.name]
        assert inputs.shape == (3, 2, layer.in_channels, layer.height, layer.width), layer.name
        if layer.input_lif is not None:
            source = seen.neurons[layer.input_lif]
            assert inputs.any() == source.any()
            if source.shape[-2:] == inputs.shape[-2:]:
                assert torch.equal(source, inputs), layer.name
    synaptic_weights = sum(
        p.numel() for name, p in model.named_parameters() if name.endswith(("conv.weight", "head.weight"))
    )
    assert synaptic_weights == geometry.weights


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS)
def test_spikes_reach_every_block(config: NetworkConfig) -> None:
    model, seen = build(config), Sizes()
    model(frames_for(model.geometry, batch=4), recorder=seen)
    assert seen.neurons["head_lif"].any()
    assert seen.neurons["MS_SSA_Conv0_x_after_qkv"].any()


@torch.no_grad()
def test_a_skipped_block_touches_none_of_its_attention_layers() -> None:
    model, seen = build(CONFIGS[0]), Sizes()
    model(frames_for(model.geometry, 2), skipped=frozenset({1}), recorder=seen)
    assert set(seen.neurons) == {
        n.name for n in model.geometry.neurons if not (n.block == 1 and n.in_attention)
    }
    assert set(seen.inputs) == {
        s.name for s in model.geometry.synaptic if not (s.block == 1 and s.in_attention)
    }


@torch.no_grad()
def test_skipping_is_running_the_network_without_the_attention_branch() -> None:
    model = build(CONFIGS[0])
    frames = frames_for(model.geometry, 4)
    skipped = model(frames, skipped=frozenset({0}))
    model.blocks[0].attention.proj.bn.weight.zero_()
    model.blocks[0].attention.proj.bn.bias.zero_()
    assert torch.equal(model(frames), skipped)


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS)
def test_nothing_leaks_from_one_call_to_the_next(config: NetworkConfig) -> None:
    model = build(config)
    frames = frames_for(model.geometry, batch=6)
    expected = model(frames)
    model(frames[:, :3])
    model(frames[:1, :5], keep_state=True)
    assert torch.equal(model(frames), expected)
    torch.testing.assert_close(model(frames[:, 2:3]), expected[:, 2:3])


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS)
def test_a_shorter_run_is_a_prefix_of_a_longer_one(config: NetworkConfig) -> None:
    model = build(config)
    frames = frames_for(model.geometry, batch=3)
    assert torch.equal(model(frames[:2]), model(frames)[:2])


@pytest.mark.parametrize("training", [False, True])
def test_a_repeated_image_is_computed_once_and_means_the_same(training: bool) -> None:
    model = build(CONFIGS[0]).train(training)
    image = frames_for(model.geometry, batch=3)[:1]
    repeated = image.expand(3, -1, -1, -1, -1)
    torch.testing.assert_close(model(repeated), model(repeated.contiguous()))


def test_every_parameter_learns() -> None:
    for config in CONFIGS:
        model = build(config).train()
        model(frames_for(model.geometry, batch=4)).square().sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_frames_of_another_shape_are_refused() -> None:
    model = build(CONFIGS[0])
    with pytest.raises(ValueError, match=r"\[T, B, 2, 15, 15\]"):
        model(torch.zeros(3, 2, 3, 15, 15))


def test_heads_must_divide_the_width_where_they_are_pooled() -> None:
    with pytest.raises((InputError, ValueError), match="num_heads"):
        build(NetworkConfig(width=16, event_mode=True, num_heads=3))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.width}x{config.depth}")
@torch.no_grad()
def test_skip_sets_share_what_they_have_in_common_and_change_nothing(config: NetworkConfig) -> None:
    model = build(config)
    frames = frames_for(model.geometry, 2)
    sets = [frozenset(range(skips)) for skips in range(config.depth + 1)] + [frozenset({config.depth - 1})]
    stems: list[tuple[int, ...]] = []

    class Stem(Sizes):
        def __init__(self, members: tuple[int, ...]) -> None:
            super().__init__()
            self.members = members

        def spikes(self, name: str, values: Tensor) -> None:
            if name == "MS_SPS_lif" and len(values) == len(frames):
                stems.append(self.members)

    together = model.forward_sets(frames, sets, Stem)
    assert stems == [tuple(range(len(sets)))]
    for skipped, logits in zip(sets, together, strict=True):
        assert torch.equal(logits, model(frames, skipped=skipped))
    for skipped, logits in zip(sets, model.forward_sets(frames, sets), strict=True):
        assert torch.equal(logits, model(frames, skipped=skipped))
