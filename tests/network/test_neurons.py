"""Our neurons compute what spikingjelly's do, spikes, states and gradients."""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based import functional, neuron
from torch import Tensor

from aster_dse.network import neurons
from aster_dse.network.neurons import LIF, PLIF, SurrogateName, surrogate_function

STEPS, BATCH, CHANNELS = 5, 700, 24


def spikes_and_gradients(node: torch.nn.Module, x: Tensor, weights: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    spikes = node(x)
    (spikes * weights).sum().backward()
    assert x.grad is not None
    return [spikes, x.grad, *(p.grad for p in node.parameters() if p.grad is not None)]


@pytest.fixture(autouse=True, params=[1000, 1 << 20], ids=["blocks", "at-once"])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neurons, "_BLOCK", request.param)


@pytest.fixture
def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    shape = (STEPS, BATCH, CHANNELS)
    return torch.randn(shape, generator=generator) * 2, torch.randn(shape, generator=generator)


@pytest.mark.parametrize(("surrogate", "alpha"), [("sigmoid", 4.0), ("triangle", 1.0), ("triangle", 0.5)])
@pytest.mark.parametrize(("tau", "threshold"), [(2.0, 1.0), (2.0, 0.5), (3.3, 1.0)])
def test_lif_equals_spikingjelly(
    data: tuple[Tensor, Tensor], surrogate: SurrogateName, alpha: float, tau: float, threshold: float
) -> None:
    slope = surrogate_function(surrogate, alpha)
    ours = LIF(tau, slope, threshold)
    plain = neuron.LIFNode(
        tau=tau, v_threshold=threshold, surrogate_function=slope, detach_reset=True, step_mode="m"
    )
    for mine, reference in zip(
        spikes_and_gradients(ours, *data), spikes_and_gradients(plain, *data), strict=True
    ):
        torch.testing.assert_close(mine, reference, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours.v, plain.v.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("surrogate", ["sigmoid", "triangle"])
def test_plif_equals_spikingjelly_and_learns_the_same_time_constant(
    data: tuple[Tensor, Tensor], surrogate: SurrogateName
) -> None:
    slope = surrogate_function(surrogate, 1.0)
    ours = PLIF(3.0, slope)
    plain = neuron.ParametricLIFNode(init_tau=3.0, surrogate_function=slope, detach_reset=True, step_mode="m")
    mine, reference = spikes_and_gradients(ours, *data), spikes_and_gradients(plain, *data)
    torch.testing.assert_close(mine[:2], reference[:2], rtol=0, atol=1e-6)
    # A sum over 84,000 products in another order.
    torch.testing.assert_close(mine[2], reference[2], rtol=1e-4, atol=1e-4)


def test_grouped_plif_is_one_neuron_layer_per_group(data: tuple[Tensor, Tensor]) -> None:
    slope = surrogate_function("sigmoid", 4.0)
    fused, constants = PLIF(2.0, slope, groups=3), torch.tensor([-0.5, 0.0, 0.7])
    with torch.no_grad():
        fused.w.copy_(constants)
    spikes, grad_x, grad_w = spikes_and_gradients(fused, *data)
    for group, (x, weights) in enumerate(zip(*(values.chunk(3, -1) for values in data), strict=True)):
        alone = PLIF(2.0, slope)
        with torch.no_grad():
            alone.w.copy_(constants[group])
        expected = spikes_and_gradients(alone, x, weights)
        torch.testing.assert_close(spikes.chunk(3, -1)[group], expected[0])
        torch.testing.assert_close(grad_x.chunk(3, -1)[group], expected[1])
        torch.testing.assert_close(grad_w[group], expected[2], rtol=1e-4, atol=1e-4)


def test_the_state_goes_on_between_calls_until_reset(data: tuple[Tensor, Tensor]) -> None:
    node, x = LIF(2.0, surrogate_function("sigmoid", 4.0)), data[0]
    whole = node(x)
    functional.reset_net(node)
    assert torch.equal(torch.cat([node(x[:2]), node(x[2:])]), whole)
    functional.reset_net(node)
    assert torch.equal(node(x), whole)


def test_another_batch_size_on_a_kept_state_is_refused(data: tuple[Tensor, Tensor]) -> None:
    node, x = LIF(2.0, surrogate_function("sigmoid", 4.0)), data[0]
    node(x)
    with pytest.raises(ValueError, match="reset the network"):
        node(x[:, :10])
