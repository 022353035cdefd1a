"""The compiled kernels compute what torch and spikingjelly compute, forwards and backwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from aster_dse.network.geometry import network_geometry
from aster_dse.network.kernels.convolution import SpikeConvolution
from aster_dse.network.kernels.library import SWITCH, available, kernels_for
from aster_dse.network.layers import BatchNorm, Convolution, attend, fire, fire_convolve, pool
from aster_dse.network.model import SpikeDrivenTransformer
from aster_dse.network.neurons import LIF, PLIF, surrogate_function
from aster_dse.space import NetworkConfig

KERNELS = kernels_for(torch.zeros(1))
needs_kernels = pytest.mark.skipif(KERNELS is None, reason=f"kernels: {available()}")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _node(kind: str, surrogate: str = "sigmoid", *, tau: float = 2.0, groups: int = 1) -> LIF | PLIF:
    function = surrogate_function(surrogate, 4.0 if surrogate == "sigmoid" else 1.0)  # type: ignore[arg-type]
    if kind == "plif":
        return PLIF(tau, function, 1.0, groups)
    return LIF(tau, function)


def _gradients(run: Callable[[], Tensor], *wanted: Tensor | nn.Parameter) -> list[Tensor]:
    """Output, and gradients of a fixed projection of it."""
    for tensor in wanted:
        tensor.grad = None
    out = run()
    weights = torch.rand(out.shape, generator=_random(11), dtype=out.dtype)
    (out * weights).sum().backward()
    return [out.detach(), *(tensor.grad.clone() for tensor in wanted if tensor.grad is not None)]


def _torch_only(run: Callable[[], list[Tensor]]) -> list[Tensor]:
    """The same without kernels."""
    patch = pytest.MonkeyPatch()
    try:
        patch.setattr("aster_dse.network.layers.kernels_for", lambda *_, **__: None)
        return run()
    finally:
        patch.undo()


def _agree(ours: list[Tensor], theirs: list[Tensor]) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, rtol=1e-9, atol=1e-10), (mine - other).abs().max()


@needs_kernels
@settings(max_examples=60, deadline=None)
@given(
    images=st.integers(1, 3),
    height=st.integers(1, 7),
    width=st.integers(1, 9),
    inputs=st.sampled_from([1, 3, 8, 16, 17, 40]),
    outputs=st.sampled_from([1, 5, 8, 12, 16, 33, 72]),
    kernel=st.sampled_from([1, 3]),
    rate=st.sampled_from([0.0, 0.1, 0.3, 0.9]),
    biased=st.booleans(),
    double=st.booleans(),
    threads=st.integers(1, 3),
)
def test_a_convolution_of_spikes_is_a_convolution(
    images: int, height: int, width: int, inputs: int, outputs: int, kernel: int, rate: float, biased: bool,
    double: bool, threads: int,
) -> None:  # fmt: skip
    dtype = torch.float64 if double else torch.float32
    random = _random(images * 31 + width)
    torch.set_num_threads(threads)
    spikes = (torch.rand(images, height, width, inputs, generator=random) < rate).to(dtype).requires_grad_()
    weight = torch.randn(outputs, inputs, kernel, kernel, generator=random, dtype=dtype).requires_grad_()
    bias = torch.randn(outputs, generator=random, dtype=dtype).requires_grad_() if biased else None
    leaves = [spikes, weight] + ([bias] if bias is not None else [])
    kernels = kernels_for(spikes)
    ours = _gradients(lambda: SpikeConvolution.apply(spikes, weight, bias, kernels), *leaves)
    theirs = _gradients(
        lambda: conv2d(spikes.permute(0, 3, 1, 2), weight, bias, padding=kernel // 2).permute(0, 2, 3, 1),
        *leaves,
    )
    for mine, other in zip(ours, theirs, strict=True):
        limit = (1e-12 if double else 1e-5) * (1 + other.abs().max())
        assert (mine - other).abs().max() <= limit


@needs_kernels
@pytest.mark.parametrize("inputs", [4, 32])
def test_values_that_are_no_spikes_are_convolved_as_they_are(inputs: int) -> None:
    values = torch.rand(2, 6, 6, inputs, generator=_random(0))
    weight = torch.randn(8, inputs, 3, 3, generator=_random(1))
    ours = SpikeConvolution.apply(values, weight, None, kernels_for(values))
    theirs = conv2d(values.permute(0, 3, 1, 2), weight, padding=1).permute(0, 2, 3, 1)
    assert torch.allclose(ours, theirs, atol=1e-5)


@needs_kernels
@pytest.mark.parametrize("channels", [4, 12, 16, 48])
@pytest.mark.parametrize("surrogate", ["sigmoid", "triangle"])
@pytest.mark.parametrize("kind", ["lif", "plif"])
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("normed", [False, True])
def test_neurons_with_norm_and_pool(
    kind: str, surrogate: str, pooled: bool, normed: bool, channels: int
) -> None:
    node, norm = _node(kind, surrogate, tau=2.5).double(), BatchNorm(channels, step_mode="s").double()
    nn.init.uniform_(norm.weight, -1.0, 2.0, generator=_random(2))
    y = torch.randn(5, 3, 7, 6, channels, generator=_random(3), dtype=torch.float64).mul_(2).requires_grad_()
    leaves = [y, *(norm.parameters() if normed else []), *node.parameters()]
    state = {name: value.clone() for name, value in norm.state_dict().items()}

    def run() -> list[Tensor]:
        norm.load_state_dict(state)
        node.reset()
        found = _gradients(lambda: fire(node, y, norm if normed else None, pooled=pooled), *leaves)
        return [*found, norm.running_mean.clone(), norm.running_var.clone()]

    _agree(run(), _torch_only(run))


@needs_kernels
@pytest.mark.parametrize("channels", [16, 24, 40])
@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("pooled", [False, True])
def test_neurons_and_convolution_in_one(channels: int, scale: float, pooled: bool) -> None:
    """A large scale makes more than a third of the neurons fire, where the convolution is dense."""
    node, conv = _node("lif").double(), Convolution(channels, 9, 3, bias=True).double()
    norm = BatchNorm(channels, step_mode="s").double()
    nn.init.constant_(norm.weight, scale)
    y = torch.randn(4, 2, 6, 5, channels, generator=_random(4), dtype=torch.float64).requires_grad_()
    leaves = [y, conv.weight, conv.bias, norm.weight, norm.bias]

    def run() -> list[Tensor]:
        node.reset()
        return _gradients(lambda: fire_convolve(node, y, conv, norm, pooled=pooled), *leaves)

    _agree(run(), _torch_only(run))


@needs_kernels
@pytest.mark.parametrize("kind", ["lif", "plif"])
@pytest.mark.parametrize("channels", [8, 20])
def test_attention(kind: str, channels: int) -> None:
    node = _node(kind).double()
    node.v_threshold = 0.5
    fused = (torch.rand(4, 3, 3, 4, 3 * channels, generator=_random(5)) < 0.3).double().requires_grad_()

    def written_out() -> Tensor:
        node.reset()
        q, k, v = fused.chunk(3, dim=-1)
        return q * node((k * v).sum((2, 3), keepdim=True))

    leaves = [fused, *node.parameters()]
    ours = _gradients(lambda: attend(node, fused), *leaves)
    _agree(ours, _gradients(written_out, *leaves))


@needs_kernels
def test_a_pooled_norm_is_the_pool_of_the_norm() -> None:
    norm = BatchNorm(6, step_mode="s").double()
    nn.init.uniform_(norm.weight, -1.0, 2.0, generator=_random(6))
    y = torch.randn(2, 3, 9, 8, 6, generator=_random(7), dtype=torch.float64).requires_grad_()
    leaves = [y, norm.weight, norm.bias]
    ours = _gradients(lambda: norm.pooled(y), *leaves)
    _agree(ours, _gradients(lambda: pool(norm(y)), *leaves))
    stream = torch.randn(y.shape, generator=_random(8), dtype=torch.float64).requires_grad_()
    ours = _gradients(lambda: norm.add(y, stream), *leaves, stream)
    _agree(ours, _gradients(lambda: norm(y) + stream, *leaves, stream))


@needs_kernels
def test_of_equal_spikes_in_a_window_the_first_gets_the_gradient() -> None:
    node = _node("lif")
    y = torch.full((1, 1, 4, 4, 8), 4.0, requires_grad=True)
    fire(node, y, pooled=True).sum().backward()
    own = torch.full((1, 8, 4, 4), 1.0, requires_grad=True)
    max_pool2d(own, 3, stride=2, padding=1).sum().backward()
    assert torch.equal((y.grad != 0)[0, 0, ..., 0], (own.grad != 0)[0, 0])


@needs_kernels
@pytest.mark.parametrize("neuron", ["lif", "plif"])
def test_the_network_learns_the_same_with_and_without_kernels(neuron: str) -> None:
    config = NetworkConfig(width=16, depth=2, stem="4-2-1-1", pooling="1001", neuron=neuron)  # type: ignore[arg-type]
    geometry = network_geometry(config, in_channels=2, resolution=16, classes=5, timesteps=3)
    torch.manual_seed(0)
    model = SpikeDrivenTransformer(config, geometry).double()
    for module in model.modules():
        if isinstance(module, BatchNorm):
            nn.init.constant_(module.weight, 2.0)
    frames = (torch.rand(3, 4, 2, 16, 16, generator=_random(9)) < 0.2).double()

    def run() -> list[Tensor]:
        model.zero_grad()
        return _gradients(lambda: model(frames), *model.parameters())

    ours = run()
    assert all(gradient.abs().max() > 0 for gradient in ours[:8])
    _agree(ours, _torch_only(run))


@needs_kernels
def test_threads_change_nothing_but_roundings_and_the_same_number_nothing_at_all() -> None:
    config = NetworkConfig(width=32, depth=1, pooling="0011")
    geometry = network_geometry(config, in_channels=3, resolution=16, classes=4, timesteps=2)
    torch.manual_seed(1)
    model = SpikeDrivenTransformer(config, geometry)
    frames = torch.randn(1, 6, 3, 16, 16, generator=_random(10)).expand(2, -1, -1, -1, -1)

    def run(threads: int) -> np.ndarray:
        torch.set_num_threads(threads)
        with torch.no_grad():
            return model.eval()(frames).numpy()

    assert np.abs(run(1) - run(3)).max() < 1e-5
    assert (run(3) == run(3)).all()


@pytest.mark.parametrize(
    "setting", [{SWITCH: "off"}, {"CC": "false"}, {"CC": "/nowhere/cc"}], ids=["off", "fails", "absent"]
)
def test_where_nothing_can_be_built_torch_does_the_work(setting: dict[str, str]) -> None:
    code = """
import torch
from aster_dse.network.kernels.library import available, kernels_for
assert kernels_for(torch.zeros(2)) is None
print(available())
"""
    environment = {**os.environ, **setting}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "off" in ran.stdout or "torch does the work" in ran.stdout
