"""The data that a study began with: what each of its workloads in folders was identified as."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aster_dse.errors import DataMismatchError
from aster_dse.space import Parameter, SearchSpace, WorkloadConfig
from aster_dse.workload.catalogue import identify_data, lies_in_a_folder, read_by_batch
from aster_dse.workload.identity import DataIdentity, OnBytes
from aster_dse.workload.trees import data_root

__all__ = ["KnownData", "data_of_space", "hold_against", "needed_by_workers", "with_data"]

_TELL_APART = ("name", "folder", "timesteps", "split_by")
"""Knobs of a workload on which the files that it reads depend."""


@dataclass(frozen=True)
class KnownData:
    """One data set of a study."""

    workload: Mapping[str, Any]
    """The knobs that say which files are read: name, folder, timesteps, split_by."""
    sha256: str
    files: int
    bytes: int
    root: str
    """Folder in which data sets lay when it was identified; another machine may have another."""

    @property
    def identity(self) -> DataIdentity:
        """What tells it from others."""
        return DataIdentity(self.sha256, self.files, self.bytes)

    def is_of(self, workload: WorkloadConfig | KnownData) -> bool:
        """Whether a workload reads these files."""
        asked = workload.workload if isinstance(workload, KnownData) else _knobs(workload)
        return dict(self.workload) == dict(asked)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; the constructor takes it back."""
        return asdict(self)


def data_of_space(
    space: SearchSpace, *, data: Path | None = None, on_bytes: OnBytes | None = None
) -> tuple[KnownData, ...]:
    """Identify every data set in a folder that networks of a space are trained on.

    Args:
        data: folder in which data sets lie, as for :func:`~aster_dse.workload.load_workload`.
        on_bytes: told bytes read by now and bytes to read, of one data set after the other.

    Raises:
        DataMismatchError: a folder holds other data than the space says (``workload.data``).
        NotFoundError: a folder, or a file in it, is missing.
        InputError: a configuration that a data set cannot have, or a damaged folder.
    """
    root = str(data_root(data).absolute())
    found = []
    for workload in _workloads(space):
        identity = identify_data(workload, data=data, on_bytes=on_bytes)
        if identity is not None:
            found.append(KnownData(_knobs(workload), **asdict(identity), root=root))
    return tuple(found)


def needed_by_workers(
    space: SearchSpace, known: Sequence[KnownData], *, data: Path | None = None
) -> tuple[WorkloadConfig, ...]:
    """The workloads of a space, identified, whose files every machine that trains has to have.

    Args:
        known: the data of the space.
        data: as for :func:`data_of_space`.
    """
    found: dict[str, WorkloadConfig] = {}
    for workload in _workloads(space, at=1.0):
        chosen = with_data(workload, known)
        if chosen.data is not None and chosen.data not in found and read_by_batch(chosen, data=data):
            found[chosen.data] = chosen
    return tuple(found.values())


def with_data(workload: WorkloadConfig, known: Sequence[KnownData]) -> WorkloadConfig:
    """The workload with the identity of its data, where it is known."""
    for entry in known:
        if entry.is_of(workload):
            return workload.model_copy(update={"data": entry.sha256})
    return workload


def hold_against(study: str, before: Sequence[KnownData], now: Sequence[KnownData]) -> None:
    """Compare the data that lies there now with what a study began with.

    Raises:
        DataMismatchError: they differ.
    """
    for entry in now:
        for old in before:
            if old.is_of(entry) and old.sha256 != entry.sha256:
                name = entry.workload["folder"] or entry.workload["name"]
                raise DataMismatchError(
                    f"study {study}",
                    f"began with {old.identity} of {name}, but {entry.root} holds {entry.identity}",
                    "restore the data set, name the folder it lies in with --data, or begin another study "
                    "with search --study NAME",
                )


def _knobs(workload: WorkloadConfig) -> dict[str, Any]:
    return {name: getattr(workload, name) for name in _TELL_APART}


def _workloads(space: SearchSpace, *, at: float = 0.0) -> Iterator[WorkloadConfig]:
    """A workload for each combination of the knobs that decide about the files; only those in folders.

    Args:
        at: where in their ranges the other knobs are, the frames' size among them.
    """
    searched = {p.name: p for p in space.outer if p.group == "workload"}
    usual = {path.partition(".")[2]: v for path, v in space.fixed.items() if path.startswith("workload.")}
    usual |= {name: p.from_unit(at) for name, p in searched.items() if name not in _TELL_APART}
    options = [
        _values(searched[name], usual[name]) if name in searched else [usual[name]] for name in _TELL_APART
    ]
    for values in itertools.product(*options):
        chosen = dict(zip(_TELL_APART, values, strict=True))
        if lies_in_a_folder(chosen["name"]):
            yield WorkloadConfig(**{**usual, **chosen})


def _values(parameter: Parameter, inactive: Any) -> list[Any]:
    """All that a knob can be, the value it has while its condition is false included."""
    values = parameter.values()
    if values is None:  # the time steps, on a scale that is not linear
        ends = parameter.as_dict()
        values = tuple(range(ends["low"], ends["high"] + 1))
    idle = parameter.when is not None and inactive not in values
    return [*values, inactive] if idle else list(values)
