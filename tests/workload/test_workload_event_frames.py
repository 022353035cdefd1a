"""Frames of event counts: equal to a plain loop, nothing lost, the same from events and from ready frames."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aster_dse.workload.event_files import Events, Sensor
from aster_dse.workload.event_frames import binned_counts, count_frames

SENSOR = Sensor(height=12, width=16)
SplitBy = Literal["number", "time"]


@st.composite
def recordings(draw: st.DrawFn) -> Events:
    count = draw(st.integers(1, 200))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    t = np.sort(generator.integers(0, draw(st.sampled_from([1, 5, 300, 10**6])), count)) + 77
    x, y, p = (generator.integers(0, most, count) for most in (SENSOR.width, SENSOR.height, 2))
    return Events(t, x, y, p)


def _plain(events: Events, timesteps: int, split_by: SplitBy) -> NDArray[np.int64]:
    """The published recipe, event by event, on a square of 16 pixels."""
    frames = np.zeros((timesteps, 2, 16, 16), np.int64)
    first, last = int(events.t_us[0]), int(events.t_us[-1])
    for number, (t, x, y, p) in enumerate(zip(events.t_us, events.x, events.y, events.p, strict=True)):
        if split_by == "number":
            share = len(events) // timesteps
            frame = number // share if share else timesteps
        else:
            frame = int(t - first) // max(1, (last - first) // timesteps)
        frames[min(frame, timesteps - 1), p, y + 2, x] += 1
    return frames


@settings(deadline=None, max_examples=60)
@given(recordings(), st.integers(1, 7), st.sampled_from(["number", "time"]))
def test_they_equal_a_plain_loop_and_lose_no_event(events: Events, timesteps: int, split_by: SplitBy) -> None:
    frames = count_frames(events, timesteps, split_by, SENSOR, 16)
    assert (frames == _plain(events, timesteps, split_by)).all()
    assert frames.sum() == len(events)


@settings(deadline=None, max_examples=40)
@given(recordings(), st.integers(1, 4), st.integers(1, 16))
def test_a_lower_resolution_adds_up_pixels_the_same_way_from_events_and_from_frames(
    events: Events, timesteps: int, resolution: int
) -> None:
    low = count_frames(events, timesteps, "number", SENSOR, resolution)
    full = np.zeros((timesteps, 2, SENSOR.height, SENSOR.width), np.int64)
    full += _plain(events, timesteps, "number")[:, :, 2:14]
    assert (low == binned_counts(full, resolution)).all()
    if resolution == 8:
        assert (
            low == _plain(events, timesteps, "number").reshape(timesteps, 2, 8, 2, 8, 2).sum((3, 5))
        ).all()


def test_the_remainder_is_in_the_last_frame() -> None:
    events = Events(np.arange(11), *(np.zeros(11, np.int64) for _ in range(3)))
    assert count_frames(events, 4, "number", SENSOR, 16).sum((1, 2, 3)).tolist() == [2, 2, 2, 5]


def test_equal_durations_may_leave_a_frame_dark() -> None:
    t = np.array([0, 1, 2, 99])
    events = Events(t, *(np.zeros(4, np.int64) for _ in range(3)))
    assert count_frames(events, 3, "time", SENSOR, 16).sum((1, 2, 3)).tolist() == [3, 0, 1]


@pytest.mark.parametrize("polarity", [0, 1])
def test_a_count_stops_at_255(polarity: int) -> None:
    still = np.full(300, 3)
    frames = count_frames(
        Events(np.arange(300), still, still, np.full(300, polarity)), 1, "number", SENSOR, 16
    )
    assert frames[0, polarity, 5, 3] == 255
    assert frames.sum() == 255
