"""Event streams become binary frames, by time or by number of events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aster_dse.workload import EventStream, frames_by_number, frames_by_time

BIN_US = 100


def stream_of(counts: list[int], bins: int, seed: int = 0, side: int = 4) -> EventStream:
    """Random events, ``counts[i]`` of them in sample i."""
    generator = np.random.default_rng(seed)
    total = sum(counts)
    times = [np.sort(generator.integers(bins * BIN_US, size=count)) for count in counts]
    return EventStream(
        t_us=np.concatenate([*times, []]).astype(np.int32),
        x=generator.integers(side, size=total).astype(np.int16),
        y=generator.integers(side, size=total).astype(np.int16),
        p=generator.integers(2, size=total).astype(np.uint8),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        height=side,
        width=side,
        duration_us=bins * BIN_US,
    )


def spread_out(counts: list[int], bins: int) -> EventStream:
    """As ``stream_of``, no two events of a sample on one place: frames then count events."""
    stream = stream_of(counts, bins, side=16)
    place = np.concatenate([np.arange(count) for count in counts])
    return EventStream(
        stream.t_us,
        (place % 16).astype(np.int16),
        (place // 16 % 16).astype(np.int16),
        (place // 256).astype(np.uint8),
        stream.offsets,
        16,
        16,
        stream.duration_us,
    )


streams = st.lists(st.integers(0, 200), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(counts=streams, bins=st.integers(1, 6))
def test_by_time_a_frame_marks_exactly_the_events_of_its_bin(counts: list[int], bins: int) -> None:
    stream = stream_of(counts, bins)
    frames = frames_by_time(stream, bins, BIN_US)
    assert frames.shape == (len(counts), bins, 2, 4, 4)
    assert frames.dtype == np.uint8
    for sample, (start, stop) in enumerate(zip(stream.offsets[:-1], stream.offsets[1:], strict=True)):
        expected = {
            (int(t) // BIN_US, int(p), int(y), int(x))
            for t, p, y, x in zip(
                *(a[start:stop] for a in (stream.t_us, stream.p, stream.y, stream.x)), strict=True
            )
        }
        assert {tuple(place) for place in np.argwhere(frames[sample]).tolist()} == expected
    assert frames.max(initial=0) <= 1


@settings(max_examples=30, deadline=None)
@given(counts=streams, bins=st.integers(2, 6), data=st.data())
def test_by_time_fewer_frames_are_a_prefix(counts: list[int], bins: int, data: st.DataObject) -> None:
    stream = stream_of(counts, bins)
    fewer = data.draw(st.integers(1, bins))
    np.testing.assert_array_equal(
        frames_by_time(stream, fewer, BIN_US), frames_by_time(stream, bins, BIN_US)[:, :fewer]
    )


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(0, 500), min_size=1, max_size=5), timesteps=st.integers(1, 9))
def test_by_number_frames_hold_equally_many_events_and_the_last_the_remainder(
    counts: list[int], timesteps: int
) -> None:
    frames = frames_by_number(spread_out(counts, bins=4), timesteps)
    held = frames.reshape(len(counts), timesteps, -1).sum(axis=2, dtype=int)
    for count, row in zip(counts, held, strict=True):
        assert row[:-1].tolist() == [count // timesteps] * (timesteps - 1)
        assert row[-1] == count - (timesteps - 1) * (count // timesteps)


def test_by_number_frames_follow_the_order_of_time() -> None:
    stream = spread_out([100], bins=4)
    frames = frames_by_number(stream, 4)
    for step in range(4):
        chosen = slice(25 * step, 25 * (step + 1))
        assert frames[0, step, stream.p[chosen], stream.y[chosen], stream.x[chosen]].all()


@pytest.mark.parametrize("timesteps", [1, 4])
def test_an_empty_recording_gives_empty_frames(timesteps: int) -> None:
    stream = stream_of([0, 0], bins=4)
    assert not frames_by_time(stream, timesteps, BIN_US).any()
    assert not frames_by_number(stream, timesteps).any()
