"""The picture of a cost shows the cost's own numbers."""

from __future__ import annotations

import pytest

from aster_dse.activity.uniform import uniform_activity
from aster_dse.export.cost_figure import cost_figure
from aster_dse.hardware import HardwareCost, estimate, resolve
from aster_dse.hardware.baselines.compare import energy_by_rate
from aster_dse.hardware.roofline import Roofline, roofline
from aster_dse.network.geometry import NetworkGeometry, network_geometry
from aster_dse.space import HardwareConfig, NetworkConfig

RATES = (0.05, 0.2, 0.8)


@pytest.fixture(scope="module")
def geometry() -> NetworkGeometry:
    return network_geometry(
        NetworkConfig(width=16, depth=1), in_channels=2, resolution=16, classes=4, timesteps=2
    )


@pytest.fixture(scope="module")
def cost(geometry: NetworkGeometry) -> HardwareCost:
    return estimate(geometry, uniform_activity(geometry, 0.2), resolve(HardwareConfig()))[0]


@pytest.fixture(scope="module")
def roof(geometry: NetworkGeometry, cost: HardwareCost) -> Roofline:
    return roofline(geometry, uniform_activity(geometry, 0.2), resolve(HardwareConfig()), cost)


def test_stacked_bars_add_up_to_the_energy_of_each_layer(
    geometry: NetworkGeometry, cost: HardwareCost, roof: Roofline
) -> None:
    figure = cost_figure(
        cost, roof, title="a title", rates=RATES, curves=energy_by_rate(geometry, HardwareConfig(), RATES)
    )
    stacked = [trace for trace in figure.data if trace.type == "bar" and trace.legend == "legend"]
    layers = list(cost.energy_pj_by_layer)
    for number, layer in enumerate(layers):
        assert sum(trace.x[number] for trace in stacked) == pytest.approx(
            cost.energy_pj_by_layer[layer] * 1e-3
        )
    assert len({trace.marker.color for trace in stacked}) == len(stacked)
    words = [figure.layout[f"xaxis{n}"].title.text for n in ("", 2, 3, 4, 5, 6)]
    assert words == ["nJ", "us", "mm2", "firing rate", "nJ", "operations per byte of input"]
    time, area, kinds = (trace for trace in figure.data if trace.type == "bar" and trace.legend != "legend")
    assert sum(time.x) == pytest.approx(cost.latency_us)
    assert sum(area.x) == pytest.approx(cost.area_mm2)
    assert sum(kinds.x) == pytest.approx(cost.energy_uj * 1e3)


def test_layers_lie_under_their_own_peak_which_lies_under_the_chips(
    geometry: NetworkGeometry,
) -> None:
    """Every window runs here, so that no silent one makes a layer faster than its arrays."""
    design = resolve(HardwareConfig(event_gating=False))
    activity = uniform_activity(geometry, 0.2)
    roof = roofline(geometry, activity, design, estimate(geometry, activity, design)[0])
    assert [layer.name for layer in roof.layers] == [layer.name for layer in geometry.synaptic]
    grouped = {"block.0.q", "block.0.k", "block.0.v"}  # each has a third of the time of all three
    for layer in roof.layers:
        assert 0 < layer.tops <= layer.peak_tops * (3 if layer.name in grouped else 1)
    assert sum(layer.peak_tops for layer in roof.layers) == pytest.approx(roof.peak_tops)
    assert roof.network_gbyte_s == pytest.approx(256 / 8 * 0.25)
    fc1 = next(layer for layer in roof.layers if layer.name == "block.0.fc1")
    assert fc1.operations_per_byte == pytest.approx(2 * 64 * 8)  # each bit meets 64 outputs


def test_curves_grow_with_the_rate_but_for_dense_machines(
    geometry: NetworkGeometry, cost: HardwareCost
) -> None:
    curves = energy_by_rate(geometry, HardwareConfig(), RATES)
    assert curves["with event gating"][1] == pytest.approx(cost.energy_uj)
    gated, driven = curves["with event gating"], curves["without"]
    assert gated[0] < driven[0]
    # Detectors cost more than they save where nearly every row spikes.
    saved = [one - other for one, other in zip(driven, gated, strict=True)]
    assert saved == sorted(saved, reverse=True)
    for name in ("with event gating", "without", "Loihi", "operations of the SNN"):
        assert sorted(curves[name]) == curves[name]
    assert len(set(curves["operations of an 8-bit ANN"])) == 1
