"""An event camera reports changes of log intensity, pixel by pixel, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aster_dse.workload import EventCamera, EventStream

INTERVAL_US = 1000.0
QUIET = {"noise_hz": 0.0, "refractory_us": 0.0}


def generators(samples: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, sample]) for sample in range(samples)]


def record(
    camera: EventCamera, log_intensity: NDArray[np.float64], interval_us: float = INTERVAL_US
) -> EventStream:
    """Record ``[times, samples, height, width]`` of log intensity."""
    light = np.exp(log_intensity).astype(np.float32)
    return camera.record(iter(light), interval_us=interval_us, noise=generators(light.shape[1]))


def polarities(stream: EventStream) -> tuple[int, int]:
    return int((stream.p == 1).sum()), int((stream.p == 0).sum())


def by_pixel(stream: EventStream) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Place, time and polarity of every event, in the order of pixels, each in the order of time."""
    sample = np.repeat(np.arange(stream.samples), stream.counts())
    place = (sample * stream.height + stream.y) * stream.width + stream.x
    order = np.lexsort((stream.t_us, place))
    return place[order], stream.t_us[order], stream.p[order].astype(np.int64)


def test_a_static_scene_makes_no_events() -> None:
    light = np.random.default_rng(1).uniform(0.0, 3.0, (1, 2, 8, 8))
    stream = record(EventCamera(8, 8, noise_hz=0.0), np.repeat(light, 6, axis=0))
    assert len(stream.t_us) == 0
    assert stream.counts().tolist() == [0, 0]
    assert stream.duration_us == 5 * INTERVAL_US


def test_in_a_static_scene_noise_comes_at_its_rate_with_both_polarities() -> None:
    camera = EventCamera(16, 16, noise_hz=5.0)
    stream = record(camera, np.zeros((101, 20, 16, 16)))
    expected = 5.0 * 16 * 16 * 0.1 * 20  # Hz x pixels x seconds x samples
    assert len(stream.t_us) == pytest.approx(expected, abs=5 * expected**0.5)
    on, off = polarities(stream)
    assert abs(on - off) < 5 * expected**0.5


@settings(max_examples=60, deadline=None)
@given(thresholds=st.integers(0, 12), rest=st.floats(0.02, 0.98), sign=st.sampled_from([1, -1]))
def test_a_step_of_n_thresholds_makes_n_events_of_its_polarity(
    thresholds: int, rest: float, sign: int
) -> None:
    camera = EventCamera(2, 3, threshold_sigma=0.05, **QUIET)
    step = sign * (thresholds + rest) * camera.thresholds.astype(float)
    stream = record(camera, np.stack([np.zeros((1, 2, 3)), step[None]]))
    assert polarities(stream) == ((6 * thresholds, 0) if sign > 0 else (0, 6 * thresholds))


def test_the_residual_is_kept_so_that_a_slow_change_makes_as_many_events_as_a_fast_one() -> None:
    camera = EventCamera(4, 4, threshold_sigma=0.0, **QUIET)
    ramp = np.linspace(0.0, 5.5 * 0.2, 23)[:, None, None, None] * np.ones((1, 1, 4, 4))
    assert polarities(record(camera, ramp)) == polarities(record(camera, ramp[[0, -1]])) == (5 * 16, 0)


def test_events_lie_where_the_straight_line_crosses_their_thresholds() -> None:
    camera = EventCamera(1, 1, threshold_sigma=0.0, **QUIET)
    ramp = np.array([0.0, 4.5 * 0.2]).reshape(2, 1, 1, 1)
    times = record(camera, ramp).t_us
    np.testing.assert_allclose(times, np.arange(1, 5) / 4.5 * INTERVAL_US, atol=1.0)


@settings(max_examples=30, deadline=None)
@given(thresholds=st.integers(1, 40), refractory_us=st.floats(10.0, 1500.0))
def test_the_refractory_period_caps_the_rate(thresholds: int, refractory_us: float) -> None:
    camera = EventCamera(1, 2, threshold_sigma=0.0, noise_hz=0.0, refractory_us=refractory_us)
    times = np.arange(7)[:, None, None, None] * np.ones((1, 1, 1, 2))
    stream = record(camera, times * (thresholds + 0.01) * 0.2)
    for x in range(2):
        mine = stream.t_us[stream.x == x]
        assert 1 <= len(mine) <= min(6 * (thresholds + 1), 6 * INTERVAL_US / refractory_us + 1)
        assert (np.diff(mine) >= refractory_us - 1.0).all()  # time stamps are whole microseconds
        # No more is lost than the dead time and the wait for the next crossing explain.
        longest_wait = refractory_us + INTERVAL_US / thresholds + 1.0
        assert len(mine) == 1 or np.diff(mine).max() <= longest_wait


def test_after_the_refractory_period_a_pixel_compares_with_what_it_saw_meanwhile() -> None:
    camera = EventCamera(1, 1, threshold_sigma=0.0, noise_hz=0.0, refractory_us=5000.0)
    step_then_rest = np.array([0.0, *[10.5 * 0.2] * 20]).reshape(-1, 1, 1, 1)
    assert len(record(camera, step_then_rest).t_us) == 1


def test_noise_and_signal_share_the_refractory_period() -> None:
    camera = EventCamera(4, 4, noise_hz=300.0, refractory_us=700.0)
    light = np.random.default_rng(2).uniform(0.0, 2.0, (40, 3, 4, 4))
    stream = record(camera, light)
    place, times, _ = by_pixel(stream)
    waits = np.diff(times)[np.diff(place) == 0]
    assert len(waits) > 100
    assert waits.min() >= 699  # time stamps are whole microseconds


@pytest.mark.parametrize("seed", range(5))
def test_inverting_the_contrast_swaps_on_and_off(seed: int) -> None:
    camera = EventCamera(5, 5, threshold_sigma=0.03, **QUIET)
    light = np.random.default_rng(seed).uniform(-0.5, 0.5, (6, 2, 5, 5))
    positive, negative = record(camera, light), record(camera, -light)
    assert sum(polarities(positive)) > 100
    # Pixel by pixel: rounding may move an event by a microsecond, and so past one of another pixel.
    (place, times, polarity), (place_, times_, polarity_) = by_pixel(positive), by_pixel(negative)
    np.testing.assert_array_equal(place, place_)
    np.testing.assert_array_equal(polarity, 1 - polarity_)
    np.testing.assert_allclose(times, times_, atol=1)


def test_absolute_brightness_does_not_matter() -> None:
    camera = EventCamera(5, 5, **QUIET)
    light = np.random.default_rng(3).uniform(0.0, 2.0, (6, 2, 5, 5))
    dim, bright = record(camera, light), record(camera, light + np.log(100.0))
    assert abs(len(dim.t_us) - len(bright.t_us)) <= 1


def test_a_stream_is_sorted_by_sample_and_time_and_stays_inside_the_sensor() -> None:
    stream = record(EventCamera(6, 9), np.random.default_rng(4).uniform(0.0, 3.0, (12, 4, 6, 9)))
    assert stream.offsets[0] == 0
    assert stream.offsets[-1] == len(stream.t_us)
    for start, stop in zip(stream.offsets[:-1], stream.offsets[1:], strict=True):
        assert (np.diff(stream.t_us[start:stop]) >= 0).all()
    assert stream.t_us.min() >= 0
    assert stream.t_us.max() < stream.duration_us
    assert 0 <= stream.x.min() <= stream.x.max() < 9
    assert 0 <= stream.y.min() <= stream.y.max() < 6
    assert set(np.unique(stream.p)) == {0, 1}


def test_the_threshold_mismatch_belongs_to_the_sensor() -> None:
    one, same, other = EventCamera(64, 64, seed=1), EventCamera(64, 64, seed=1), EventCamera(64, 64, seed=2)
    np.testing.assert_array_equal(one.thresholds, same.thresholds)
    assert (one.thresholds != other.thresholds).any()
    assert one.thresholds.mean() == pytest.approx(0.2, abs=0.003)
    assert one.thresholds.std() == pytest.approx(0.03, abs=0.003)
    assert EventCamera(64, 64, threshold_sigma=1.0).thresholds.min() > 0.0


def test_a_sensor_or_a_recording_too_large_for_the_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="1024x1024 pixels"):
        EventCamera(1024, 1024)
    with pytest.raises(ValueError, match="longer than"):
        record(EventCamera(2, 2, noise_hz=0.0), np.zeros((3, 1, 2, 2)), interval_us=2.0**25)
