"""Workloads by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aster_dse.errors import InputError
from aster_dse.space import WorkloadConfig
from aster_dse.workload import digits
from aster_dse.workload.cache import Arrays, cached_arrays, default_cache
from aster_dse.workload.dataset import Split, Workload, WorkloadShape
from aster_dse.workload.frames import frames_by_number, frames_by_time
from aster_dse.workload.partition import stratified_partition

__all__ = ["load_workload", "workload_names", "workload_shape"]

_DATA_VERSION = 1
"""Part of every cache key; raise it when the same configuration makes other frames."""
_MOST_BYTES = 1 << 30
"""Largest set of frames that is made, so that a worker's memory stays bounded."""
_CHUNK_BYTES = 1 << 19
"""Intensities (4 bytes each) that are recorded at once: they stay in a core's own cache."""


@dataclass(frozen=True)
class _Source:
    shape: WorkloadShape
    scale: float
    class_names: tuple[str, ...]
    resolutions: tuple[int, int]
    samples: int
    make: Callable[[WorkloadConfig], Arrays]
    """``labels``, and ``frames`` ``[samples, values]``: bits, packed, where a value has one bit."""
    ignores: tuple[str, ...] = ()
    """Fields of the configuration that its frames do not depend on."""

    def steps(self, config: WorkloadConfig) -> int:
        return 1 if self.shape.static else config.timesteps


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


_SOURCES: Mapping[str, _Source] = {
    "digits-dvs": _Source(
        WorkloadShape(in_channels=2, classes=10, input_bits=1, static=False),
        scale=1.0,
        class_names=digits.CLASS_NAMES,
        resolutions=(8, 128),
        samples=1797,
        make=_digits_dvs,
    ),
    "digits": _Source(
        WorkloadShape(in_channels=1, classes=10, input_bits=8, static=True),
        scale=1 / 255,
        class_names=digits.CLASS_NAMES,
        resolutions=(8, 128),
        samples=1797,
        make=_digits,
        ignores=("timesteps", "split_by", "seed"),
    ),
}


def workload_names() -> tuple[str, ...]:
    """Every name that ``WorkloadConfig.name`` may have."""
    return tuple(sorted(_SOURCES))


def workload_shape(config: WorkloadConfig) -> WorkloadShape:
    """Shape of a workload, checked but not made.

    Raises:
        InputError: no such workload, or one that cannot be made this large.
    """
    return _source(config).shape


def load_workload(config: WorkloadConfig, *, cache: Path | None = None) -> Workload:
    """Load a workload, making it on first use.

    Args:
        cache: folder of made data; default ``$ASTER_DSE_CACHE``, else the user's cache folder.

    Raises:
        InputError: no such workload, one that cannot be made this large, or a cache that cannot be written.
    """
    source = _source(config)
    arrays = cached_arrays(
        default_cache() if cache is None else cache, _key(source, config), lambda: source.make(config)
    )
    labels = arrays["labels"].astype(np.int64)
    shape = (source.steps(config), source.shape.in_channels, config.resolution, config.resolution)

    def split(members: NDArray[np.int64]) -> Split:
        frames = arrays["frames"][members].astype(np.uint8, copy=False)
        if source.shape.input_bits == 1:
            frames = np.unpackbits(frames, axis=1, count=int(np.prod(shape)))
        return Split(frames.reshape(len(members), *shape), labels[members])

    train, validation, test = (split(members) for members in stratified_partition(labels, config.seed))
    return Workload(
        config=config,
        train=train,
        validation=validation,
        test=test,
        classes=source.shape.classes,
        in_channels=source.shape.in_channels,
        input_bits=source.shape.input_bits,
        scale=source.scale,
        static=source.shape.static,
        class_names=source.class_names,
    )


def _source(config: WorkloadConfig) -> _Source:
    source = _SOURCES.get(config.name)
    if source is None:
        raise InputError(
            "workload.name", f"there is no workload {config.name!r}", f"one of {', '.join(workload_names())}"
        )
    low, high = source.resolutions
    if not low <= config.resolution <= high:
        raise InputError(
            "workload.resolution",
            f"{config.resolution} is out of range for {config.name}",
            f"{low} to {high} pixels",
        )
    size = source.samples * source.steps(config) * source.shape.in_channels * config.resolution**2
    if size > _MOST_BYTES:
        raise InputError(
            "workload.timesteps",
            f"{config.timesteps} frames of {config.resolution} pixels a side take {size / 2**30:.1f} GiB",
            f"at most {config.timesteps * _MOST_BYTES // size} at this resolution",
        )
    return source


def _key(source: _Source, config: WorkloadConfig) -> str:
    facts = {k: v for k, v in config.model_dump(mode="json").items() if k not in source.ignores}
    text = json.dumps({"version": _DATA_VERSION, **facts}, sort_keys=True)
    return f"{config.name}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"
