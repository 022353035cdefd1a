"""Whether a space can be searched: one function decides it, before anything is created or trained."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aster_dse.errors import InputError, NotFoundError
from aster_dse.evaluation.design_checks import spare_levels, unusable_choices, unusable_words
from aster_dse.hardware.documents import user_files
from aster_dse.hardware.sources import ModelRecord, model_record
from aster_dse.network.geometry import check_network
from aster_dse.search.reference import reference_point_of
from aster_dse.space import (
    HardwareConfig,
    NetworkConfig,
    SearchSpace,
    TrainingConfig,
    WorkloadConfig,
)
from aster_dse.workload import training_samples, workload_shape
from aster_dse.workload.augmentation_fit import check_augmentation

__all__ = [
    "CheckedSpace",
    "check_accelerators",
    "check_networks_of",
    "check_space",
    "check_workload",
    "spare_steps",
]

_COMBINATIONS = 20_000
"""Of the knobs of one check; spaces with more are not gone through."""
_MOST_VALUES = 64
"""Values at which a knob is tried; of one with more, or continuous, the ends are."""


@dataclass(frozen=True)
class CheckedSpace:
    """What was found out about a space that can be searched."""

    notes: tuple[str, ...]
    """On choices that can never be used, or are of no use."""
    model: ModelRecord
    """What its accelerators are computed with."""
    space: SearchSpace
    source: str

    @cached_property
    def reference_point(self) -> dict[str, float]:
        """Of the hypervolume of a new study, by objective; takes a second.

        Raises:
            InputError: none of the accelerators that are drawn for it can exist.
        """
        with user_files(self.model.texts), _named(self.source):
            return reference_point_of(self.space, seed=self.space.search.seed)


def check_space(
    space: SearchSpace, source: str, *, data: Path | None = None, known: ModelRecord | None = None
) -> CheckedSpace:
    """Make sure that a space can be searched.

    Args:
        source: what messages call the space.
        data: folder in which data sets lie; None for the usual one.
        known: as for :func:`~aster_dse.hardware.sources.model_record`.

    Raises:
        InputError: nothing in the space can be trained, or built, or its first problem otherwise.
    """
    check_workload(space, source, data)
    notes = check_networks_of(space, source)
    with _named(source):
        model = model_record(space, known=known)
    with user_files(model.texts):
        notes += check_accelerators(space, source)
    return CheckedSpace(notes + spare_steps(space), model, space, source)


def check_workload(space: SearchSpace, source: str, data: Path | None = None) -> None:
    """Make sure that a data set exists, and that it is large enough.

    Args:
        data: folder in which data sets lie; None for the usual one.

    Raises:
        InputError: there is no such workload, none of this size, or too few samples to calibrate real arrays
            on.
    """
    if any(parameter.group == "workload" for parameter in space.parameters):
        return
    fixed = {path: value for path, value in space.fixed.items() if path.startswith("workload.")}
    with _named(source):
        config = WorkloadConfig(**_group("workload", fixed))
        workload_shape(config)
        if space.fixed["hardware.arrays"] == "real":
            from aster_dse.numerics.calibration import check_sample_count

            # What cannot be found here may lie where the study runs.
            with suppress(NotFoundError):
                check_sample_count(training_samples(config, data=data))


def check_accelerators(space: SearchSpace, source: str) -> tuple[str, ...]:
    """Make sure that some accelerator can exist; notes on values that none can have, or that are of no use.

    Raises:
        InputError: naming the knob.
    """
    hardware = HardwareConfig(**_group("hardware", space.fixed))
    with _named(source):
        return unusable_choices(space.inner, hardware) + spare_levels(space.inner, hardware)


def check_networks_of(space: SearchSpace, source: str) -> tuple[str, ...]:
    """Make sure that some network can be trained; notes on values that none can have.

    Raises:
        InputError: naming the knob.
    """
    notes: list[str] = []
    with _named(source):
        for check in _CHECKS:
            notes += _try_all(space, check)
    return tuple(notes)


def spare_steps(space: SearchSpace) -> tuple[str, ...]:
    """A note where a policy may have more time steps than any network has: it is the one with all of them."""
    path, steps = "policy.timesteps", "workload.timesteps"
    listed = _values(space, path)
    most = max(value for value in _values(space, steps) if value is not None)
    beyond = [value for value in listed if value is None or value > most]
    searched = any(parameter.path == path for parameter in space.parameters)
    if (not searched and beyond == [None]) or not beyond:
        return ()
    named = ", ".join("null" if value is None else str(value) for value in beyond)
    if most not in listed and len(beyond) == 1:
        return () if None in beyond else (f"{path}: {named} is the same policy as {most}, {_ALL_STEPS}",)
    verb = "is the same policy" if len(beyond) == 1 else "are the same policy"
    return (f"{path}: {named} {verb} as {most}, {_ALL_STEPS}",)


_ALL_STEPS = "all steps that the networks have"


@dataclass(frozen=True)
class _Check:
    """Something that knobs of networks must meet, and the knobs that it reads."""

    reads: tuple[str, ...]
    holds: Callable[[Mapping[str, Any]], object]
    """Raises InputError where they do not meet it."""


def _shape(values: Mapping[str, Any]) -> None:
    workload_shape(WorkloadConfig(**_group("workload", values)))


def _network(values: Mapping[str, Any]) -> None:
    check_network(NetworkConfig(**_group("network", values)))


def _augmentation(values: Mapping[str, Any]) -> None:
    workload = WorkloadConfig(**_group("workload", values))
    check_augmentation(
        TrainingConfig(**_group("training", values)), workload.name, static=workload_shape(workload).static
    )


_CHECKS = (
    _Check(tuple(f"workload.{name}" for name in WorkloadConfig.model_fields), _shape),
    _Check(("network.width", "network.num_heads", "network.event_mode", "network.stem"), _network),
    _Check(
        (
            *(f"workload.{name}" for name in WorkloadConfig.model_fields),
            *(f"training.{name}" for name in ("rand_augment", "color_jitter", "event_augmentation")),
        ),
        _augmentation,
    ),
)


def _try_all(space: SearchSpace, check: _Check) -> Iterator[str]:
    """Try a check at all combinations of values; lines on those values at which it never holds."""
    values = {path: _values(space, path) for path in check.reads}
    count = 1
    for options in values.values():
        count *= len(options)
    if count > _COMBINATIONS:
        return
    good: set[tuple[str, Any]] = set()
    refused: dict[tuple[str, Any], InputError] = {}
    for row in itertools.product(*values.values()):
        chosen = dict(zip(values, row, strict=True))
        try:
            check.holds(chosen)
        except InputError as error:
            for item in chosen.items():
                refused.setdefault(item, error)
        else:
            good |= set(chosen.items())
    if not good:
        raise next(iter(refused.values()))
    for path, options in values.items():
        never = [(value, refused[path, value]) for value in options if (path, value) not in good]
        if never:
            yield unusable_words(path, never)


def _values(space: SearchSpace, path: str) -> Sequence[Any]:
    """Values that a knob can have."""
    searched = next((p for p in space.parameters if p.path == path), None)
    if searched is None:
        return (space.fixed[path],)
    if searched.cardinality is not None and searched.cardinality <= _MOST_VALUES:
        listed = list(searched.values() or ())
    else:
        listed = [searched.from_unit(0.0), searched.from_unit(1.0)]
    return tuple(dict.fromkeys(listed if searched.when is None else [*listed, space.fixed[path]]))


def _group(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs of one group by their short names."""
    return {path.partition(".")[2]: value for path, value in values.items() if path.partition(".")[0] == name}


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Errors inside say which space they are about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{source}: {error.where}", error.problem, error.remedy) from None
