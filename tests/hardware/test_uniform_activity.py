"""Expected counts of independent spikes against counting simulated ones."""

from __future__ import annotations

import numpy as np
import pytest

from aster_dse.activity.uniform import uniform_activity
from aster_dse.network.geometry import NetworkGeometry, SynapticLayer, network_geometry
from aster_dse.space import ROW_SIZES, NetworkConfig


def _max_pool(maps: np.ndarray) -> np.ndarray:
    n, c, h, w = maps.shape
    padded = np.zeros((n, c, h + 2, w + 2), dtype=bool)
    padded[:, :, 1:-1, 1:-1] = maps
    out = (h - 1) // 2 + 1
    taps = [
        padded[:, :, i : i + 2 * out - 1 : 2, j : j + 2 * out - 1 : 2] for i in range(3) for j in range(3)
    ]
    return np.logical_or.reduce(taps)


def _rows(layer: SynapticLayer, maps: np.ndarray) -> np.ndarray:
    """``[sample, window, fan_in]`` in the order (channel, kernel row, kernel column)."""
    n, c, h, w = maps.shape
    k = layer.kernel_size
    padded = np.zeros((n, c, h + k - 1, w + k - 1), dtype=bool)
    padded[:, :, k // 2 : k // 2 + h, k // 2 : k // 2 + w] = maps
    patches = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))
    return patches.transpose(0, 2, 3, 1, 4, 5).reshape(n, h * w, c * k * k)


def _count(layer: SynapticLayer, maps: np.ndarray) -> tuple[float, float, list[float]]:
    rows = _rows(layer, maps)
    accesses = []
    for height in ROW_SIZES:
        tiles = np.add.reduceat(rows, range(0, layer.fan_in, height), axis=2)
        accesses.append(float(np.count_nonzero(tiles)) / len(maps))
    return rows.sum() / len(maps), rows.any(axis=2).sum() / len(maps), accesses


@pytest.mark.parametrize("name", ["stem.1", "stem.2", "stem.position", "block.0.fc1"])
def test_expected_counts_equal_simulated_counts(tiny: NetworkGeometry, name: str) -> None:
    rate, samples = 0.05, 4000
    index, layer = next((i, n) for i, n in enumerate(tiny.synaptic) if n.name == name)
    neurons = next(n.neurons for n in tiny.neurons if n.name == layer.input_lif)
    size = int(np.sqrt(neurons // layer.in_channels))
    rng = np.random.default_rng(7)
    maps = rng.random((samples, layer.in_channels, size, size)) < rate
    driven, windows, accesses = _count(layer, _max_pool(maps) if size > layer.height else maps)
    expected = uniform_activity(tiny, rate, 1)
    assert expected.driven_rows[0, index] == pytest.approx(driven, rel=0.03)
    assert expected.active_windows[0, index] == pytest.approx(windows, rel=0.02)
    np.testing.assert_allclose(expected.active_accesses[0, index], accesses, rtol=0.03)


def test_at_rate_one_every_row_window_and_tile_is_active_but_the_padding(tiny: NetworkGeometry) -> None:
    activity = uniform_activity(tiny, 1.0, 1)
    for i, layer in enumerate(tiny.synaptic):
        rows = _rows(layer, np.ones((1, layer.in_channels, layer.height, layer.width), dtype=bool))
        assert activity.driven_rows[0, i] == rows.sum()
        assert activity.active_windows[0, i] == layer.windows
        np.testing.assert_array_equal(
            activity.active_accesses[0, i],
            _count(layer, np.ones((1, layer.in_channels, layer.height, layer.width), dtype=bool))[2],
        )


def test_silence_and_no_steps_count_nothing(tiny: NetworkGeometry) -> None:
    for activity in (uniform_activity(tiny, 0.0), uniform_activity(tiny, 0.3, 0)):
        for name in ("driven_rows", "active_windows", "active_accesses", "spikes"):
            assert not getattr(activity, name).any()


def test_bit_serial_input_runs_every_window_once_per_bit() -> None:
    one, eight = (
        network_geometry(
            NetworkConfig(width=16), in_channels=1, resolution=16, classes=10, timesteps=1, input_bits=bits
        )
        for bits in (1, 8)
    )
    assert uniform_activity(eight, 0.1, input_rate=0.5).driven_rows[0, 0] == pytest.approx(
        8 * uniform_activity(one, 0.1, input_rate=0.5).driven_rows[0, 0]
    )


@pytest.mark.parametrize(("rate", "steps"), [(-0.1, 1), (1.1, 1), (0.1, -1), (0.1, float("nan"))])
def test_impossible_activity_is_refused(tiny: NetworkGeometry, rate: float, steps: float) -> None:
    with pytest.raises(ValueError, match="must"):
        uniform_activity(tiny, rate, steps)
