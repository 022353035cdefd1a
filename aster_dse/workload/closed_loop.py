"""Images that move along a closed loop of four straight legs in front of a resting event camera.

The protocol of CIFAR10-DVS: Li, Liu, Ji, Li, Shi, "CIFAR10-DVS: an event-stream dataset for object
classification", Frontiers in Neuroscience 11:309, 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aster_dse.workload.event_camera import EventCamera, EventStream

__all__ = ["BIN_US", "Screen"]

BIN_US = 25_000
"""Duration of one leg of the motion, microseconds."""
_CORNERS = np.array([(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)])
"""Where the legs start, (y, x) in units of the loop's radius: a diamond, every leg diagonal."""
_MOST_PIXELS_PER_INTERVAL = 1.0
"""Sensor pixels an edge may pass between two samples of the intensity."""


@dataclass(frozen=True)
class Screen:
    """What the camera looks at. Lengths are in pixels of the image, so all resolutions see the same scene."""

    pixels: int
    """Side of an image."""
    field: float
    """Side of the camera's field of view."""
    radius: float
    """Radius of the loop."""
    jitter: float
    """Largest displacement of a sample's loop, each way."""
    contrast: float
    """White gives this much more light than black, in units of black's."""
    edge_goes_on: bool = False
    """Beyond the image there is its outermost pixel again, not black."""

    def record(
        self,
        images: NDArray[np.float32],
        generators: Sequence[np.random.Generator],
        resolution: int,
        bins: int,
        seed: int,
    ) -> EventStream:
        """Record images ``[samples, pixels, pixels]`` of 0 to 1.

        Args:
            generators: one per sample; draws its place on the screen and its noise.
            resolution: height and width of the sensor, pixels.
            bins: length of the recording in legs of ``BIN_US``.
            seed: draws the sensor.
        """
        offsets = np.array([g.uniform(-self.jitter, self.jitter, 2) for g in generators]).reshape(-1, 2)
        leg_pixels = self.radius * resolution / self.field
        intervals = max(4, int(np.ceil(leg_pixels / _MOST_PIXELS_PER_INTERVAL)))
        camera = EventCamera(resolution, resolution, seed=seed)
        scene = self._moving(images, offsets, resolution, bins, intervals)
        return camera.record(scene, interval_us=BIN_US / intervals, noise=generators)

    def show(
        self, images: NDArray[np.float32], position: NDArray[np.float64], resolution: int
    ) -> NDArray[np.float32]:
        """What falls on the sensor, ``[samples, resolution, resolution]``; images moved by ``position``."""
        rows, columns = self._taps(position[:, 0], resolution), self._taps(position[:, 1], resolution)
        light: NDArray[np.float32] = np.matmul(np.matmul(rows, images), columns.transpose(0, 2, 1))
        return light

    def _moving(
        self,
        images: NDArray[np.float32],
        offsets: NDArray[np.float64],
        resolution: int,
        bins: int,
        intervals: int,
    ) -> Iterator[NDArray[np.float32]]:
        for step in range(bins * intervals + 1):
            leg, part = divmod(step, intervals)
            start, end = _CORNERS[leg % 4], _CORNERS[(leg + 1) % 4]
            position = offsets + self.radius * (start + (end - start) * (part / intervals))
            light = self.show(images, position, resolution)
            light *= np.float32(self.contrast)
            light += np.float32(1.0)
            yield light

    def _taps(self, shift: NDArray[np.float64], resolution: int) -> NDArray[np.float32]:
        """``[samples, resolution, pixels]``: linear interpolation of images moved by ``shift``."""
        sensor = (np.arange(resolution) + 0.5) * (self.field / resolution) - self.field / 2
        last = (self.pixels - 1) / 2
        place = sensor[None, :, None] - shift[:, None, None]
        if self.edge_goes_on:
            place = np.clip(place, -last, last)
        distance = np.abs(place - (np.arange(self.pixels) - last))
        return np.maximum(0.0, 1.0 - distance).astype(np.float32)
