"""A simulated event camera: light intensity over time in, a stream of ON and OFF events out.

The ideal model of a dynamic vision sensor: a pixel remembers the logarithm of the intensity at its last
event and fires whenever the present one differs from it by the pixel's contrast threshold; what is left
over is kept. Two departures from the ideal are modelled, the refractory period and shot noise.

Sources: Lichtsteiner, Posch, Delbruck, "A 128x128 120 dB 15 us latency asynchronous temporal contrast
vision sensor", IEEE JSSC 43(2), 2008; crossings interpolated between intensity samples as in Rebecq,
Gehrig, Scaramuzza, "ESIM: an open event camera simulator", CoRL 2018; threshold mismatch and noise as in
Hu, Liu, Delbruck, "v2e: from video frames to realistic DVS events", CVPR workshops 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["EventCamera", "EventStream"]

# An event as one integer, so that a plain sort orders a stream: sample | time | pixel | polarity.
_POLARITY_BITS, _PIXEL_BITS, _TIME_BITS = 1, 18, 25
_MINIMUM_THRESHOLD = 0.02
"""Where a wide threshold distribution is cut, in log intensity: a pixel cannot fire on nothing."""
_LEAST_CHANGE = 1e-6
"""In thresholds; where rounding alone completes a step, the change is not divided by zero."""
_NOISE_BLOCK = 256
"""Noise events drawn at a time; fixed, so that a longer recording draws the same ones first."""


@dataclass(frozen=True)
class EventStream:
    """Events of many recordings, sorted by sample and then by time."""

    t_us: NDArray[np.int32]
    """Time since the sample's recording began, microseconds."""
    x: NDArray[np.int16]
    y: NDArray[np.int16]
    p: NDArray[np.uint8]
    """Polarity: 1 ON (brighter), 0 OFF (darker)."""
    offsets: NDArray[np.int64]
    """``[samples + 1]``; the events of sample ``i`` are ``offsets[i]:offsets[i + 1]``."""
    height: int
    width: int
    duration_us: int

    @property
    def samples(self) -> int:
        return len(self.offsets) - 1

    def counts(self) -> NDArray[np.int64]:
        """Events of each sample."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class EventCamera:
    """One sensor; its fixed threshold mismatch is drawn from ``seed``."""

    height: int
    width: int
    threshold: float = 0.2
    """Mean contrast threshold, change of natural log intensity per event."""
    threshold_sigma: float = 0.03
    """Standard deviation of the threshold from pixel to pixel."""
    refractory_us: float = 1000.0
    """Dead time of a pixel after an event; crossings within it are lost, the pixel's memory follows."""
    noise_hz: float = 1.0
    """Shot-noise events per pixel and second, ON and OFF alike; v2e's presets have 0 and 5."""
    seed: int = 0
    thresholds: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    """``[height, width]``, the contrast threshold of every pixel."""

    def __post_init__(self) -> None:
        if self.height * self.width > 1 << _PIXEL_BITS:
            raise ValueError(f"a sensor of {self.height}x{self.width} pixels has more than 2^{_PIXEL_BITS}")
        drawn = np.random.default_rng([self.seed, self.height, self.width]).normal(
            self.threshold, self.threshold_sigma, (self.height, self.width)
        )
        object.__setattr__(self, "thresholds", np.maximum(drawn, _MINIMUM_THRESHOLD).astype(np.float32))

    def record(
        self,
        intensities: Iterable[NDArray[np.float32]],
        *,
        interval_us: float,
        noise: Sequence[np.random.Generator],
    ) -> EventStream:
        """Record scenes, one per sample, all at once.

        Args:
            intensities: light on the sensor, ``[samples, height, width]``, positive, in any linear unit, at
                times 0, ``interval_us``, 2 ``interval_us``, ...; in between its logarithm is a straight line.
            interval_us: time between two of them, microseconds.
            noise: one generator per sample. A longer recording from generators in the same state has the
                same noise at the beginning.
        """
        samples, pixels = len(noise), self.height * self.width
        # In units of each pixel's own threshold, an event is a step of 1.
        gain = (1.0 / self.thresholds.reshape(1, pixels)).astype(np.float32)
        arriving = iter(intensities)
        before = _log_intensity(next(arriving), gain)
        memory = before.copy()
        shot = _ShotNoise(noise, pixels * self.noise_hz / 1e6, pixels)
        output = _Output(samples, pixels, self.refractory_us)
        intervals = 0
        for intensity in arriving:
            span = _Interval(intervals * interval_us, (intervals + 1) * interval_us)
            now = _log_intensity(intensity, gain)
            steps = np.trunc(now - memory)
            where = np.flatnonzero(steps)
            # Noise goes first; all it can shadow is a signal event of the same interval and pixel.
            output.single(*shot.until(span.end_us), span)
            memory_there, before_there, now_there, steps_there = (
                a.ravel()[where] for a in (memory, before, now, steps)
            )
            output.ramp(where, memory_there, before_there, now_there, steps_there, span)
            memory += steps
            before = now
            intervals += 1
        return output.stream(self.height, self.width, round(intervals * interval_us))


def _log_intensity(intensity: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
    log: NDArray[np.float32] = np.log(intensity.reshape(len(intensity), -1), dtype=np.float32)
    log *= gain
    return log


@dataclass(frozen=True)
class _Interval:
    start_us: float
    end_us: float


class _Output:
    """The pixels' output stage: holds every pixel to its refractory period and collects what passes."""

    def __init__(self, samples: int, pixels: int, refractory_us: float) -> None:
        self._samples, self._pixels, self._refractory_us = samples, pixels, refractory_us
        self._last_us = np.full(samples * pixels, -np.inf, np.float32)
        self._keys: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]

    def single(
        self,
        where: NDArray[np.int64],
        when: NDArray[np.float64],
        on: NDArray[np.bool_],
        span: _Interval,
    ) -> None:
        """One event at most of each of the pixels ``where`` (flat, of samples x pixels)."""
        passes = when >= self._last_us[where] + self._refractory_us
        where, when, on = where[passes], when[passes], on[passes]
        self._last_us[where] = when
        self._collect(where, when, on, span)

    def ramp(
        self,
        where: NDArray[np.int64],
        memory: NDArray[np.float32],
        before: NDArray[np.float32],
        now: NDArray[np.float32],
        steps: NDArray[np.float32],
        span: _Interval,
    ) -> None:
        """The events of the pixels ``where``, whose log intensity goes straight from ``before`` to ``now``.

        A pixel's crossings are evenly spaced, so those that the refractory period lets pass are evenly
        spaced too, and both their number and their times follow without a loop.
        """
        sign, length_us = np.sign(steps), span.end_us - span.start_us
        change = sign * np.maximum(np.abs(now - before), _LEAST_CHANGE)
        spacing = length_us / np.abs(change)
        first = span.start_us + np.clip((memory + sign - before) / change, 0.0, 1.0) * length_us
        ready = self._last_us[where] + self._refractory_us
        lost = np.maximum(np.ceil((ready - first) / spacing), 0.0)
        stride = np.maximum(np.ceil(self._refractory_us / spacing), 1.0)
        count = np.maximum((np.abs(steps) - 1.0 - lost) // stride + 1.0, 0.0).astype(np.int64)
        first, spacing = first + lost * spacing, stride * spacing
        passes = count > 0
        where, first, spacing, count, sign = (a[passes] for a in (where, first, spacing, count, sign))
        self._last_us[where] = first + (count - 1) * spacing
        nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        when = np.repeat(first, count) + nth * np.repeat(spacing, count)
        self._collect(np.repeat(where, count), when, np.repeat(sign > 0, count), span)

    def _collect(
        self,
        where: NDArray[np.int64],
        when: NDArray[np.float64],
        on: NDArray[np.bool_],
        span: _Interval,
    ) -> None:
        sample, pixel = np.divmod(where, self._pixels)
        # A crossing at the very end of an interval still belongs to it.
        time = np.minimum(when.astype(np.int64), round(span.end_us) - 1)
        self._keys.append((((sample << _TIME_BITS) | time) << _PIXEL_BITS | pixel) << _POLARITY_BITS | on)

    def stream(self, height: int, width: int, duration_us: int) -> EventStream:
        if duration_us >= 1 << _TIME_BITS:
            raise ValueError(f"a recording of {duration_us} us is longer than 2^{_TIME_BITS} us")
        key = np.sort(np.concatenate(self._keys))
        pixel = (key >> _POLARITY_BITS) & ((1 << _PIXEL_BITS) - 1)
        sample_starts = np.arange(self._samples + 1) << (_TIME_BITS + _PIXEL_BITS + _POLARITY_BITS)
        return EventStream(
            t_us=((key >> (_PIXEL_BITS + _POLARITY_BITS)) & ((1 << _TIME_BITS) - 1)).astype(np.int32),
            x=(pixel % width).astype(np.int16),
            y=(pixel // width).astype(np.int16),
            p=(key & 1).astype(np.uint8),
            offsets=np.searchsorted(key, sample_starts),
            height=height,
            width=width,
            duration_us=duration_us,
        )


class _ShotNoise:
    """Noise of all samples in the order of time, handed out interval by interval.

    Over the whole sensor it is one Poisson process: exponential waiting times, a random pixel each.
    """

    def __init__(self, generators: Sequence[np.random.Generator], rate_per_us: float, pixels: int) -> None:
        self._generators, self._rate_per_us, self._pixels = generators, rate_per_us, pixels
        self._drawn_us = np.zeros(len(generators))
        nothing: NDArray[np.int64] = np.zeros(0, np.int64)
        self._where, self._when, self._polarity = nothing, nothing.astype(float), nothing.astype(bool)

    def until(self, end_us: float) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Flat pixel (of samples x pixels), time and polarity of what came since the last call."""
        self._draw(end_us)
        stop = int(np.searchsorted(self._when, end_us))
        where, when, polarity = self._where[:stop], self._when[:stop], self._polarity[:stop]
        self._where, self._when, self._polarity = (
            self._where[stop:], self._when[stop:], self._polarity[stop:],
        )  # fmt: skip
        # A second one on the same pixel within an interval is dropped: 1 Hz and 6 ms make it 2 in 100,000.
        unique = np.unique(where, return_index=True)[1]
        return where[unique], when[unique], polarity[unique]

    def _draw(self, end_us: float) -> None:
        if self._rate_per_us <= 0.0 or not (self._drawn_us < end_us).any():
            return
        wheres, whens, polarities = [self._where], [self._when], [self._polarity]
        for sample, generator in enumerate(self._generators):
            while self._drawn_us[sample] < end_us:
                waits = generator.exponential(1.0 / self._rate_per_us, _NOISE_BLOCK)
                places = generator.integers(2 * self._pixels, size=_NOISE_BLOCK)
                when = self._drawn_us[sample] + np.cumsum(waits)
                self._drawn_us[sample] = when[-1]
                wheres.append(sample * self._pixels + places // 2)
                whens.append(when)
                polarities.append(places % 2 == 1)
        where, when, polarity = (np.concatenate(parts) for parts in (wheres, whens, polarities))
        order = np.argsort(when, kind="stable")
        self._where, self._when, self._polarity = where[order], when[order], polarity[order]
