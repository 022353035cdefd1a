"""The data of a job, on the machine that does it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from aster_dse.errors import AsterError, DataMismatchError
from aster_dse.search.protocol import NetworkJob
from aster_dse.space import WorkloadConfig
from aster_dse.stored_files import forget
from aster_dse.workload import Workload, identify_data, load_workload, stays_on_disk
from aster_dse.workload.trees import VARIABLE

__all__ = ["check_unchanged", "data_for", "places_here", "problem_with"]

Read = TypeVar("Read")


def places_here(told: str) -> tuple[Path | None, ...]:
    """Where data sets may lie on this machine: as on the driver's, or where its own environment says."""
    own = os.environ.get(VARIABLE)
    return (*([Path(told)] if told else []), *([Path(own)] if own else [])) or (None,)


def data_for(job: NetworkJob, loaded: Workload | None) -> Workload:
    """The data that a job is of: what was loaded for it, or what lies on this machine.

    Raises:
        DataMismatchError: it is not the data of the job's candidate.
        NotFoundError: a data set, or a file of it, is missing here.
        InputError: a damaged file.
    """
    config = job.candidate.workload
    if loaded is None:
        return _first(lambda place: load_workload(config, data=place), places_here(job.data))
    if config.data is not None and loaded.config.data != config.data:
        raise DataMismatchError(
            config.folder or config.name,
            f"data {(loaded.config.data or 'of no identity')[:15]} was loaded, not {config.data[:12]}",
        )
    return loaded


def problem_with(config: WorkloadConfig, told: str) -> str:
    """Why a data set cannot be read on this machine as it is on the driver's; empty where it can.

    Args:
        config: identified.
        told: folder in which data sets lie on the driver's machine.
    """
    try:
        _first(lambda place: identify_data(config, data=place), places_here(told))
    except AsterError as error:
        return str(error)
    return ""


def check_unchanged(job: NetworkJob, workload: Workload, made_of_it: Iterable[Path]) -> None:
    """Hold a data set that stays on the disk against its identity once more, after it was read for hours.

    Args:
        made_of_it: files to remove where it was changed: nobody can tell what they are of.

    Raises:
        DataMismatchError: it was changed.
    """
    if not stays_on_disk(workload):
        return
    try:
        _first(lambda place: identify_data(workload.config, data=place), places_here(job.data))
    except AsterError:
        for path in made_of_it:
            forget(path)
        raise


def _first(read: Callable[[Path | None], Read], places: Sequence[Path | None]) -> Read:
    """What the first place gives in which the data lies; where none has it, what is wrong with the first."""
    first: AsterError | None = None
    for place in places:
        try:
            return read(place)
        except AsterError as error:
            first = first or error
    raise first or AsterError("no place to look for data sets")
