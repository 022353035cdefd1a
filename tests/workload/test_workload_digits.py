"""The digits in front of the event camera: what a recording depends on, and that it shows the digit."""

from __future__ import annotations

import numpy as np
import pytest

from aster_dse.workload import EventStream, frames_by_time, record_digits
from aster_dse.workload.digits import BIN_US, digit_images, upscale

IMAGES, LABELS = digit_images()


def columns(stream: EventStream) -> tuple[np.ndarray, ...]:
    return stream.t_us, stream.x, stream.y, stream.p, stream.offsets


def assert_same(one: EventStream, other: EventStream) -> None:
    for a, b in zip(columns(one), columns(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_there_are_1797_digits_of_ten_classes() -> None:
    assert IMAGES.shape == (1797, 8, 8)
    assert IMAGES.min() == 0.0
    assert IMAGES.max() == 1.0
    assert np.unique(LABELS).tolist() == list(range(10))


def test_the_same_seed_gives_the_same_recording_and_another_seed_another() -> None:
    first = record_digits(IMAGES[:20], resolution=16, bins=4, seed=3)
    assert_same(first, record_digits(IMAGES[:20], resolution=16, bins=4, seed=3))
    assert len(record_digits(IMAGES[:20], resolution=16, bins=4, seed=4).t_us) != len(first.t_us)


@pytest.mark.parametrize("resolution", [8, 16, 32])
def test_a_longer_recording_begins_with_the_shorter_one(resolution: int) -> None:
    short = record_digits(IMAGES[:30], resolution=resolution, bins=2, seed=0)
    long = record_digits(IMAGES[:30], resolution=resolution, bins=9, seed=0)
    early = long.t_us < short.duration_us
    assert short.duration_us == 2 * BIN_US
    for name in ("t_us", "x", "y", "p"):
        np.testing.assert_array_equal(getattr(long, name)[early], getattr(short, name))
    np.testing.assert_array_equal(frames_by_time(long, 9, BIN_US)[:, :2], frames_by_time(short, 2, BIN_US))


def test_a_recording_does_not_depend_on_its_neighbours() -> None:
    together = record_digits(IMAGES[:12], resolution=24, bins=3, seed=0)
    for number in (0, 5, 11):
        alone = record_digits(IMAGES[[number]], resolution=24, bins=3, seed=0, samples=[number])
        chosen = slice(together.offsets[number], together.offsets[number + 1])
        for name in ("t_us", "x", "y", "p"):
            np.testing.assert_array_equal(getattr(together, name)[chosen], getattr(alone, name))


def test_a_blank_image_shows_only_the_cameras_noise() -> None:
    blank = record_digits(np.zeros((40, 8, 8), np.float32), resolution=32, bins=4, seed=0)
    expected = 40 * 32 * 32 * 0.1 * 1.0  # samples x pixels x seconds x Hz
    assert len(blank.t_us) == pytest.approx(expected, abs=5 * expected**0.5)
    digits = record_digits(IMAGES[:40], resolution=32, bins=4, seed=0)
    assert len(digits.t_us) > 10 * len(blank.t_us)


def test_an_edge_that_moves_towards_larger_x_is_on_ahead_and_off_behind() -> None:
    bar = np.zeros((1, 8, 8), np.float32)
    bar[:, :, 3:5] = 1.0
    frame = frames_by_time(record_digits(bar, resolution=32, bins=1, seed=0), 1, BIN_US)[0, 0]
    off, on = (np.average(np.arange(32), weights=channel.sum(axis=0)) for channel in frame)
    assert off < on


def test_the_loop_closes_and_the_digit_returns() -> None:
    loops = frames_by_time(record_digits(IMAGES[:60], resolution=16, bins=12, seed=0), 12, BIN_US)
    second, third = loops[:, 4:8].astype(int), loops[:, 8:12].astype(int)
    assert np.abs(second - third).mean() < 0.2 * np.abs(second - np.roll(third, 2, axis=1)).mean()


def test_upscaled_digits_keep_their_brightness_and_their_place() -> None:
    still = upscale(IMAGES[:50], 64)
    assert still.shape == (50, 64, 64)
    assert still.min() >= 0.0
    assert still.max() <= 1.0 + 1e-6
    rows = np.arange(64) + 0.5
    centre = (still.sum(axis=2) * rows).sum(axis=1) / still.sum(axis=(1, 2)) / 64
    original = (IMAGES[:50].sum(axis=2) * (np.arange(8) - 3.5)).sum(axis=1) / IMAGES[:50].sum(axis=(1, 2))
    assert np.corrcoef(centre, original)[0, 1] > 0.95


def test_a_simple_classifier_reads_the_frames() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    stream = record_digits(IMAGES, resolution=16, bins=4, seed=0)
    frames = frames_by_time(stream, 4, BIN_US).reshape(len(IMAGES), -1).astype(np.float32)
    score = KNeighborsClassifier(3).fit(frames[:1200], LABELS[:1200]).score(frames[1200:], LABELS[1200:])
    assert score > 0.9
