"""Handwritten digits, as still images and as an event camera sees them move.

The 1,797 digits are the test part of Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI,
1998 (8x8 pixels of 0..16), which scikit-learn carries. The recording follows CIFAR10-DVS (Li et al.,
Frontiers in Neuroscience 11:309, 2017): the image moves smoothly along a closed loop of four straight legs,
again and again, in front of a resting camera.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from aster_dse.workload.event_camera import EventCamera, EventStream

__all__ = ["BIN_US", "CLASS_NAMES", "digit_images", "record_digits", "upscale"]

CLASS_NAMES = tuple("0123456789")
BIN_US = 25_000
"""Duration of one leg of the motion and of one frame, microseconds."""

_CORNERS = np.array([(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)])
"""Where the legs start, (y, x) in units of the loop's radius: a diamond, every leg diagonal."""
_RADIUS = 0.5
"""Radius of the loop in pixels of the digit, so that all resolutions see the same scene."""
_JITTER = 0.25
"""Largest displacement of a sample's loop, in pixels of the digit, each way."""
_FIELD = 9.0
"""Side of the camera's field of view in pixels of the digit: 8, and room for the motion."""
_DARK = 8.0
"""Light of a black pixel where a white one gives 16 more: contrast of the screen."""
_MOST_PIXELS_PER_INTERVAL = 1.0
"""Sensor pixels an edge may pass between two samples of the intensity."""
_STREAM = 0xD1617


def digit_images() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All digits ``[1797, 8, 8]``, 0 background to 1 ink, and their labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images / 16.0).astype(np.float32), digits.target.astype(np.int64)


def upscale(images: NDArray[np.float32], resolution: int) -> NDArray[np.float32]:
    """The digits at rest in the camera's field of view, ``[samples, resolution, resolution]``, 0 to 1."""
    return _on_sensor(images, np.zeros((len(images), 2)), resolution)


def record_digits(
    images: NDArray[np.float32],
    *,
    resolution: int,
    bins: int,
    seed: int,
    samples: Sequence[int] | None = None,
) -> EventStream:
    """Record digits moving in front of an event camera.

    Args:
        images: ``[samples, 8, 8]``, 0 to 1.
        resolution: height and width of the sensor, pixels.
        bins: length of the recording in bins of ``BIN_US``, one leg of the loop each.
        seed: draws the sensor, each sample's place on the screen and its noise.
        samples: numbers of the images in the data set (default: counted from 0). A recording depends on the
            image, its number, the resolution and the seed alone: not on its neighbours, and a longer one
            begins with the shorter.
    """
    numbers = range(len(images)) if samples is None else samples
    generators = [np.random.default_rng([seed, _STREAM, number]) for number in numbers]
    offsets = np.array([g.uniform(-_JITTER, _JITTER, 2) for g in generators]).reshape(-1, 2)
    leg_pixels = _RADIUS * resolution / _FIELD
    intervals = max(4, int(np.ceil(leg_pixels / _MOST_PIXELS_PER_INTERVAL)))
    camera = EventCamera(resolution, resolution, seed=seed)
    scene = _moving(images, offsets, resolution, bins, intervals)
    return camera.record(scene, interval_us=BIN_US / intervals, noise=generators)


def _moving(
    images: NDArray[np.float32], offsets: NDArray[np.float64], resolution: int, bins: int, intervals: int
) -> Iterator[NDArray[np.float32]]:
    for step in range(bins * intervals + 1):
        leg, part = divmod(step, intervals)
        start, end = _CORNERS[leg % 4], _CORNERS[(leg + 1) % 4]
        position = offsets + _RADIUS * (start + (end - start) * (part / intervals))
        light = _on_sensor(images, position, resolution)
        light *= np.float32(16.0 / _DARK)
        light += np.float32(1.0)
        yield light


def _on_sensor(
    images: NDArray[np.float32], position: NDArray[np.float64], resolution: int
) -> NDArray[np.float32]:
    rows, columns = _taps(position[:, 0], resolution), _taps(position[:, 1], resolution)
    light: NDArray[np.float32] = np.matmul(np.matmul(rows, images), columns.transpose(0, 2, 1))
    return light


def _taps(shift: NDArray[np.float64], resolution: int) -> NDArray[np.float32]:
    """``[samples, resolution, 8]``: weights of linear interpolation of 8 digit pixels, moved by ``shift``."""
    sensor = (np.arange(resolution) + 0.5) * (_FIELD / resolution) - _FIELD / 2
    digit = np.arange(8) - 3.5
    distance = np.abs(sensor[None, :, None] - shift[:, None, None] - digit)
    return np.maximum(0.0, 1.0 - distance).astype(np.float32)
