"""Data sets that are made here, from the digits that scikit-learn carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload import digits
from aster_dse.workload.cache import Arrays, cached_arrays
from aster_dse.workload.dataset import Split, Workload, WorkloadShape
from aster_dse.workload.frames import frames_by_number, frames_by_time
from aster_dse.workload.partition import stratified_partition
from aster_dse.workload.source import check_resolution

__all__ = ["DIGITS", "DIGITS_DVS", "MadeDigits"]

_DATA_VERSION = 1
"""Part of every cache key; raise it when the same configuration makes other frames."""
_MOST_BYTES = 1 << 30
"""Largest set of frames that is made, so that a worker's memory stays bounded."""
_CHUNK_BYTES = 1 << 19
"""Intensities (4 bytes each) that are recorded at once: they stay in a core's own cache."""
_SAMPLES = 1797
_TRAINING_SAMPLES = 1198
_ELSEWHERE = ("folder", "classes", "validation_share")
"""Fields that data sets in folders have a use for."""


@dataclass(frozen=True)
class MadeDigits:
    """One way of showing the digits."""

    own_shape: WorkloadShape
    scale: float
    make: Callable[[WorkloadConfig], Arrays]
    """``labels``, and ``frames`` ``[samples, values]``: bits, packed, where a value has one bit."""
    ignores: tuple[str, ...] = _ELSEWHERE
    """Fields of the configuration that the frames do not depend on."""

    def shape(self, config: WorkloadConfig) -> WorkloadShape:
        """Its shape; see :class:`~aster_dse.workload.source.DataSet`."""
        check_resolution(config, 8, 128)
        size = _SAMPLES * self._steps(config) * self.own_shape.in_channels * config.resolution**2
        if size > _MOST_BYTES:
            raise InputError(
                "workload.timesteps",
                f"{config.timesteps} frames of {config.resolution} pixels a side take {size / 2**30:.1f} GiB",
                f"at most {config.timesteps * _MOST_BYTES // size} at this resolution",
            )
        return self.own_shape

    def training_samples(self, config: WorkloadConfig, data: Path | None) -> int:  # noqa: ARG002
        """See :class:`~aster_dse.workload.source.DataSet`; whatever the seed."""
        self.shape(config)
        return _TRAINING_SAMPLES

    def files(self, config: WorkloadConfig, data: Path | None) -> None:  # noqa: ARG002
        """None: it is made here."""
        if config.data is not None:
            raise InputError("workload.data", f"{config.name} is made here and has no files", "leave it out")

    def read_by_batch(self, config: WorkloadConfig, data: Path | None) -> bool:  # noqa: ARG002
        """No: it is small."""
        return False

    def load(self, config: WorkloadConfig, data: Path | None, cache: Path) -> Workload:
        """Make it, or take it from the cache; no folder of data is needed."""
        kind = self.shape(config)
        self.files(config, data)
        arrays = cached_arrays(cache, self._key(config), lambda: self.make(config))
        labels = arrays["labels"].astype(np.int64)
        shape = (self._steps(config), kind.in_channels, config.resolution, config.resolution)

        def split(members: NDArray[np.int64]) -> Split:
            frames = arrays["frames"][members].astype(np.uint8, copy=False)
            if kind.input_bits == 1:
                frames = np.unpackbits(frames, axis=1, count=int(np.prod(shape)))
            return Split(frames.reshape(len(members), *shape), labels[members])

        train, validation, test = (split(part) for part in stratified_partition(labels, config.seed))
        return Workload(
            config=config,
            train=train,
            validation=validation,
            test=test,
            classes=kind.classes,
            in_channels=kind.in_channels,
            input_bits=kind.input_bits,
            scale=self.scale,
            static=kind.static,
            class_names=digits.CLASS_NAMES,
        )

    def _steps(self, config: WorkloadConfig) -> int:
        return 1 if self.own_shape.static else config.timesteps

    def _key(self, config: WorkloadConfig) -> str:
        facts = {k: v for k, v in config.model_dump(mode="json").items() if k not in self.ignores}
        text = json.dumps({"version": _DATA_VERSION, **facts}, sort_keys=True)
        return f"{config.name}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _digits_dvs(config: WorkloadConfig) -> Arrays:
    images, labels = digits.digit_images()
    chunk = max(1, _CHUNK_BYTES // (4 * config.resolution**2))
    packed = []
    for start in range(0, len(images), chunk):
        numbers = range(start, min(start + chunk, len(images)))
        stream = digits.record_digits(
            images[start : start + chunk],
            resolution=config.resolution,
            bins=config.timesteps,
            seed=config.seed,
            samples=numbers,
        )
        if config.split_by == "time":
            frames = frames_by_time(stream, config.timesteps, digits.BIN_US)
        else:
            frames = frames_by_number(stream, config.timesteps)
        packed.append(np.packbits(frames.reshape(len(frames), -1), axis=1))
    return {"frames": np.concatenate(packed), "labels": labels}


def _digits(config: WorkloadConfig) -> Arrays:
    images, labels = digits.digit_images()
    still = digits.upscale(images, config.resolution)
    return {"frames": np.rint(still * 255.0).astype(np.uint8).reshape(len(still), -1), "labels": labels}


DIGITS_DVS = MadeDigits(
    WorkloadShape(in_channels=2, classes=10, input_bits=1, static=False), scale=1.0, make=_digits_dvs
)
DIGITS = MadeDigits(
    WorkloadShape(in_channels=1, classes=10, input_bits=8, static=True),
    scale=1 / 255,
    make=_digits,
    ignores=("timesteps", "split_by", "seed", *_ELSEWHERE),
)
