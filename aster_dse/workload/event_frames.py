"""From one recording to frames of event counts, by the recipe of spikingjelly's data sets.

Fang et al., "SpikingJelly", Science Advances 9(40), 2023: a pixel of a frame is the number of events of one
polarity; channel 0 is OFF, channel 1 is ON. Counts are bytes here and stop at 255.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aster_dse.workload.event_files import Events, Sensor

__all__ = ["MOST_COUNT", "binned_counts", "count_frames", "frame_of_event"]

MOST_COUNT = 255
"""Where a count stops."""


def count_frames(
    events: Events, timesteps: int, split_by: Literal["number", "time"], sensor: Sensor, resolution: int
) -> NDArray[np.uint8]:
    """The frames of a recording.

    The sensor is first padded to a square, equally on both sides (the odd pixel below or to the right); a
    resolution below that square's side adds up the counts of the pixels that fall together.

    Returns:
        ``[timesteps, 2, resolution, resolution]``.
    """
    side = max(sensor.height, sensor.width)
    row = (events.y + (side - sensor.height) // 2) * resolution // side
    column = (events.x + (side - sensor.width) // 2) * resolution // side
    frame = frame_of_event(events.t_us, timesteps, split_by)
    place = ((frame * 2 + events.p) * resolution + row) * resolution + column
    counts = np.bincount(place, minlength=timesteps * 2 * resolution**2)
    return _bytes(counts).reshape(timesteps, 2, resolution, resolution)


def frame_of_event(
    t_us: NDArray[np.int64], timesteps: int, split_by: Literal["number", "time"]
) -> NDArray[np.int64]:
    """The frame that each event belongs to.

    ``number``: equally many events, the remainder in the last frame (all events, where there are fewer than
    frames). ``time``: equal durations of whole microseconds from the first event on, the rest in the last. A
    frame in which nothing happened stays dark, where spikingjelly gives up.
    """
    if split_by == "number":
        size = len(t_us) // timesteps
        if size == 0:
            return np.full(len(t_us), timesteps - 1, np.int64)
        return np.minimum(np.arange(len(t_us)) // size, timesteps - 1)
    duration = max(1, int(t_us[-1] - t_us[0]) // timesteps)
    frame: NDArray[np.int64] = np.minimum((t_us - t_us[0]) // duration, timesteps - 1)
    return frame


def binned_counts(counts: NDArray[np.int64], resolution: int) -> NDArray[np.uint8]:
    """Ready frames ``[timesteps, 2, height, width]`` as :func:`count_frames` would have made them."""
    height, width = counts.shape[2:]
    down = _membership(height, max(height, width), resolution)
    across = _membership(width, max(height, width), resolution)
    return _bytes(np.matmul(np.matmul(down, counts.astype(np.float64)), across.T))


def _membership(pixels: int, side: int, resolution: int) -> NDArray[np.float64]:
    """``[resolution, pixels]``: 1 where a sensor's pixel falls into that of a frame."""
    place = (np.arange(pixels) + (side - pixels) // 2) * resolution // side
    inside: NDArray[np.bool_] = place == np.arange(resolution)[:, None]
    return inside.astype(np.float64)


def _bytes(counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.minimum(counts, MOST_COUNT).astype(np.uint8)
