"""From an event stream to the frames a network reads: binary, one channel per polarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aster_dse.workload.event_camera import EventStream

__all__ = ["frames_by_number", "frames_by_time"]


def frames_by_time(stream: EventStream, timesteps: int, bin_us: int) -> NDArray[np.uint8]:
    """Frames of equal duration; those of fewer time steps are the first of those of more.

    Returns:
        ``[samples, timesteps, 2, height, width]``, 1 where at least one event of that polarity fell
        (channel 0 OFF, channel 1 ON). Events after the last bin are left out; a bin may be empty.
    """
    step = stream.t_us // np.int32(bin_us)
    if stream.duration_us <= timesteps * bin_us:
        return _mark(stream, step, timesteps)
    return _mark(stream, step, timesteps, step < timesteps)


def frames_by_number(stream: EventStream, timesteps: int) -> NDArray[np.uint8]:
    """Frames of equal event count over each whole recording; the last one takes the remainder too.

    Returns:
        As :func:`frames_by_time`. A recording with fewer events than time steps is all in the last frame.
    """
    counts = stream.counts()
    rank = np.arange(len(stream.t_us)) - np.repeat(stream.offsets[:-1], counts)
    size = np.repeat(counts // timesteps, counts)
    step = np.where(size > 0, rank // np.maximum(size, 1), timesteps - 1)
    return _mark(stream, np.minimum(step, timesteps - 1), timesteps)


def _mark(
    stream: EventStream,
    step: NDArray[np.integer],
    timesteps: int,
    kept: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    shape = (stream.samples, timesteps, 2, stream.height, stream.width)
    sample = np.repeat(np.arange(stream.samples), stream.counts())
    place = ((sample * timesteps + step) * 2 + stream.p) * (stream.height * stream.width)
    place += stream.y.astype(np.int64) * stream.width + stream.x
    frames = np.zeros(shape, np.uint8)
    frames.reshape(-1)[place if kept is None else place[kept]] = 1
    return frames
