"""What a trace counts: spikes, driven rows, windows and array accesses that event gating leaves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from traced_network import NETWORK, trace, trained, workload

from aster_dse.activity.files import load_trace, save_trace
from aster_dse.activity.record import _window_counts
from aster_dse.errors import InputError, NotFoundError
from aster_dse.network.geometry import network_geometry
from aster_dse.space import ROW_SIZES
from aster_dse.training.trained import Feed
from aster_dse.workload import Split


def _by_hand(plane: np.ndarray, kernel: int) -> tuple[int, int, list[int]]:
    """Driven rows, active windows and accesses of one ``[C, H, W]`` plane, window by window."""
    _, height, width = plane.shape
    reach = kernel // 2
    padded = np.pad(plane, ((0, 0), (reach, reach), (reach, reach)))
    driven = windows = 0
    accesses = [0] * len(ROW_SIZES)
    for y in range(height):
        for x in range(width):
            rows = padded[:, y : y + kernel, x : x + kernel].reshape(-1)
            driven += int(rows.sum())
            windows += bool(rows.any())
            for i, size in enumerate(ROW_SIZES):
                accesses[i] += sum(bool(rows[r : r + size].any()) for r in range(0, len(rows), size))
    return driven, windows, accesses


@pytest.fixture(params=["on", "off"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiled kernels, and without."""
    monkeypatch.setenv("ASTER_DSE_KERNELS", request.param)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("channels", [3, 20, 130])
def test_windows_of_spikes(kernel: int, density: float, channels: int) -> None:
    rng = np.random.default_rng(3)
    planes = rng.random((2, 3, channels, 5, 4)) < density
    driven, windows, accesses = _window_counts(torch.from_numpy(planes).float(), kernel, 1)
    for step in range(2):
        for sample in range(3):
            expected = _by_hand(planes[step, sample], kernel)
            found = (driven[step, sample], windows[step, sample], accesses[step, sample].tolist())
            assert found == expected


@pytest.mark.usefixtures("kernels")
def test_an_image_is_read_bit_plane_by_bit_plane_at_every_step() -> None:
    levels = np.random.default_rng(5).integers(0, 256, (3, 1, 6, 6))
    image = torch.from_numpy(levels).expand(4, -1, -1, -1, -1)
    driven, windows, accesses = _window_counts(image, 3, 8)
    for sample in range(3):
        planes = [_by_hand((levels[sample] >> bit) & 1, 3) for bit in range(8)]
        assert driven[:, sample].tolist() == [sum(p[0] for p in planes)] * 4
        assert windows[:, sample].tolist() == [sum(p[1] for p in planes)] * 4
        assert accesses[2, sample].tolist() == np.sum([p[2] for p in planes], axis=0).tolist()


def test_trace_of_a_real_network() -> None:
    kept = trace()
    depth = NETWORK.depth
    assert kept.logits.shape == (depth + 1, 40, 4, 10)
    assert kept.spikes.shape[:3] == kept.driven_rows.shape[:3] == (depth + 1, 40, 4)
    sizes = np.array([neuron.neurons for neuron in kept.geometry.neurons])
    assert (kept.spikes >= 0).all()
    assert (kept.spikes <= sizes).all()
    windows = np.array([layer.windows for layer in kept.geometry.synaptic])
    assert (kept.active_windows <= windows).all()
    # A window is active where one of its row tiles is; a lower array splits rows into more tiles.
    assert (kept.active_accesses[..., -1] >= kept.active_windows).all()
    assert (np.diff(kept.active_accesses, axis=-1) <= 0).all()
    assert (kept.driven_rows >= kept.active_accesses[..., 0]).all()


def test_skipped_attention_counts_nothing_and_the_stem_does_not_change() -> None:
    kept = trace()
    for skips in range(NETWORK.depth + 1):
        skipped = set(kept.skip_order[:skips])
        for i, neuron in enumerate(kept.geometry.neurons):
            counts = kept.spikes[skips, :, :, i]
            if neuron.block is None and neuron.name.startswith("MS_SPS"):
                assert (counts == kept.spikes[0, :, :, i]).all()
            if neuron.in_attention and neuron.block in skipped:
                assert not counts.any()
        for i, layer in enumerate(kept.geometry.synaptic):
            if layer.in_attention and layer.block in skipped:
                assert not kept.active_accesses[skips, :, :, i].any()


@torch.no_grad()
def test_blocks_are_ordered_by_their_activity_on_training_samples() -> None:
    class Rates:
        def __init__(self) -> None:
            self.seen: dict[str, list[float]] = {}

        def spikes(self, name: str, values: Tensor) -> None:
            self.seen.setdefault(name, []).append(float(values.mean()))

        def synapse(self, name: str, inputs: Tensor) -> None:
            pass

    data, rates = workload(), Rates()
    spread = np.unique(np.linspace(0, len(data.train) - 1, 256).round().astype(np.int64))
    feed = Feed(Split(data.train.frames[spread], data.train.labels[spread]), data, torch.device("cpu"))
    trained().model(feed.frames(slice(None)), recorder=rates)
    expected = [rates.seen[f"MS_SSA_Conv{block}_x_after_qkv"][0] for block in range(NETWORK.depth)]
    assert trace().block_activity == pytest.approx(expected, abs=1e-6)
    assert list(trace().skip_order) == sorted(range(NETWORK.depth), key=lambda b: expected[b])


def test_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    save_trace(path, trace())
    again = load_trace(path, trace().geometry)
    for field in dataclasses.fields(again):
        if isinstance(getattr(again, field.name), np.ndarray):
            assert np.array_equal(getattr(again, field.name), getattr(trace(), field.name))
    assert again.firing_rate.keys() == trace().firing_rate.keys()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["trace.npz", "trace.npz.sha256"]


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "trace.npz"
    save_trace(path, trace())
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "text": b"no trace", "empty": b""}[damage])
    with pytest.raises(InputError, match=r"trace\.npz"):
        load_trace(path, trace().geometry)


def test_a_trace_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    save_trace(path, trace())
    other = network_geometry(
        NETWORK.model_copy(update={"depth": 2}), in_channels=2, resolution=16, classes=10, timesteps=4
    )
    with pytest.raises(InputError, match="shape"):
        load_trace(path, other)
    with pytest.raises(NotFoundError):
        load_trace(tmp_path / "none.npz", other)
