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
    """Shot-noise events per pixel and second, ON and OFF alike."""
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
        gain = (1.0 / self.thresholds.reshape(1, pixels)).astype(np.float32)
        arriving = iter(intensities)
        # In units of each pixel's own threshold an event is a step of 1.
        before = self._log_intensity(next(arriving), gain)
        memory = before.copy()
        last_us = np.full(samples * pixels, -np.inf, np.float32)
        shot = _ShotNoise(noise, pixels * self.noise_hz / 1e6, pixels)
        keys: list[NDArray[np.int64]] = []
        intervals = 0
        for intensity in arriving:
            start_us = intervals * interval_us
            intervals += 1
            end_us = intervals * interval_us
            where, when, polarity = shot.until(end_us)
            # Noise goes first: it can only shadow a signal event of the same interval and pixel.
            heard = when >= last_us[where] + self.refractory_us
            last_us[where[heard]] = when[heard]
            keys.append(_keys(where[heard], when[heard], polarity[heard], pixels, end_us))
            now = self._log_intensity(intensity, gain)
            steps = np.trunc(now - memory)
            where = np.flatnonzero(steps)
            if len(where):
                level, count = memory.ravel()[where], steps.ravel()[where]
                memory += steps
                keys.append(
                    self._crossings(
                        where, level, count, before.ravel()[where], now.ravel()[where], last_us,
                        start_us, end_us, pixels,
                    )
                )  # fmt: skip
            before = now
        duration_us = round(intervals * interval_us)
        return _stream(keys, samples, self.height, self.width, duration_us)

    @staticmethod
    def _log_intensity(intensity: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
        log = np.log(intensity.reshape(len(intensity), -1), dtype=np.float32)
        log *= gain
        return log

    def _crossings(
        self,
        where: NDArray[np.int64],
        level: NDArray[np.float32],
        steps: NDArray[np.float32],
        before: NDArray[np.float32],
        now: NDArray[np.float32],
        last_us: NDArray[np.float32],
        start_us: float,
        end_us: float,
        pixels: int,
    ) -> NDArray[np.int64]:
        """Events of the pixels ``where``, whose log intensity goes straight from ``before`` to ``now``.

        A pixel's crossings are evenly spaced, so those that survive the refractory period are evenly spaced
        too, and both their number and their times follow without a loop.
        """
        sign, change = np.sign(steps), now - before
        spacing = (end_us - start_us) / np.abs(change)
        first = start_us + np.clip((level + sign - before) / change, 0.0, 1.0) * (end_us - start_us)
        ready = last_us[where] + self.refractory_us
        skipped = np.maximum(np.ceil((ready - first) / spacing), 0.0)
        stride = np.maximum(np.ceil(self.refractory_us / spacing), 1.0)
        count = np.maximum((np.abs(steps) - 1.0 - skipped) // stride + 1.0, 0.0).astype(np.int64)
        first, spacing = first + skipped * spacing, stride * spacing
        alive = count > 0
        where, first, spacing, count, sign = (a[alive] for a in (where, first, spacing, count, sign))
        last_us[where] = first + (count - 1) * spacing
        nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        when = np.repeat(first, count) + nth * np.repeat(spacing, count)
        return _keys(np.repeat(where, count), when, np.repeat(sign > 0, count), pixels, end_us)


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
        # Two on one pixel within one interval are rarer than one in a million; the first stays.
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


def _keys(
    where: NDArray[np.int64],
    when_us: NDArray[np.floating],
    on: NDArray[np.bool_],
    pixels: int,
    end_us: float,
) -> NDArray[np.int64]:
    """Events as sortable integers; a crossing at the very end of an interval still belongs to it."""
    sample, pixel = np.divmod(where, pixels)
    time = np.minimum(when_us.astype(np.int64), round(end_us) - 1)
    return ((((sample << _TIME_BITS) | time) << _PIXEL_BITS | pixel) << _POLARITY_BITS) | on


def _stream(
    keys: list[NDArray[np.int64]], samples: int, height: int, width: int, duration_us: int
) -> EventStream:
    if duration_us >= 1 << _TIME_BITS:
        raise ValueError(f"a recording of {duration_us} us is longer than 2^{_TIME_BITS} us")
    key = np.sort(np.concatenate([*keys, np.zeros(0, np.int64)]))
    pixel = (key >> _POLARITY_BITS) & ((1 << _PIXEL_BITS) - 1)
    sample_shift = _TIME_BITS + _PIXEL_BITS + _POLARITY_BITS
    return EventStream(
        t_us=((key >> (_PIXEL_BITS + _POLARITY_BITS)) & ((1 << _TIME_BITS) - 1)).astype(np.int32),
        x=(pixel % width).astype(np.int16),
        y=(pixel // width).astype(np.int16),
        p=(key & 1).astype(np.uint8),
        offsets=np.searchsorted(key, np.arange(samples + 1, dtype=np.int64) << sample_shift),
        height=height,
        width=width,
        duration_us=duration_us,
    )
