"""Handwritten digits, as still images and as an event camera sees them move.

The 1,797 digits are the test part of Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI,
1998 (8x8 pixels of 0..16), which scikit-learn carries. The recording follows CIFAR10-DVS (Li et al.,
Frontiers in Neuroscience 11:309, 2017): the image moves smoothly along a closed loop of four straight legs,
again and again, in front of a resting camera.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aster_dse.workload.closed_loop import BIN_US, Screen
from aster_dse.workload.event_camera import EventStream

__all__ = ["BIN_US", "CLASS_NAMES", "digit_images", "record_digits", "upscale"]

CLASS_NAMES = tuple("0123456789")
_SCREEN = Screen(pixels=8, field=9.0, radius=0.5, jitter=0.25, contrast=2.0)
"""The field of view is the digit, and room for the motion; white is three times as bright as black."""
_STREAM = 0xD1617


def digit_images() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All digits ``[1797, 8, 8]``, 0 background to 1 ink, and their labels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images / 16.0).astype(np.float32), digits.target.astype(np.int64)


def upscale(images: NDArray[np.float32], resolution: int) -> NDArray[np.float32]:
    """The digits at rest in the camera's field of view, ``[samples, resolution, resolution]``, 0 to 1."""
    return _SCREEN.show(images, np.zeros((len(images), 2)), resolution)


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
    return _SCREEN.record(images, generators, resolution, bins, seed)
