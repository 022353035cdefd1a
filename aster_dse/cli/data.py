"""The data sets of a command: identified with progress, and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.cli.network_progress import bytes_progress
from aster_dse.cli.output import say

if TYPE_CHECKING:
    from aster_dse.space import Candidate, SearchSpace, WorkloadConfig
    from aster_dse.store import StudyReader, StudyRow, StudyStore
    from aster_dse.workload import KnownData, Workload

__all__ = ["identified", "identified_data", "loaded", "say_unverified"]

_LABEL = "identifying the data"


def identified_data(space: SearchSpace, data: Path | None) -> tuple[KnownData, ...]:
    """What the data sets of a space are now, each said in a line.

    Raises:
        DataMismatchError: a folder holds other data than the space says.
        NotFoundError: a data set, or a file of it, is missing.
        InputError: a damaged folder.
    """
    from aster_dse.workload import data_of_space

    with bytes_progress(_LABEL) as on_bytes:
        found = data_of_space(space, data=data, on_bytes=on_bytes)
    sets = {(e.workload["folder"] or e.workload["name"], str(e.identity)): None for e in found}
    for name, identity in sets:
        say(f"{name}: {identity}")
    return found


def identified(candidate: Candidate, data: Path | None) -> Candidate:
    """The configuration with the identity of its data.

    Raises:
        DataMismatchError: the folder holds other data than the configuration says.
        NotFoundError: the data set, or a file of it, is missing.
        InputError: a damaged folder.
    """
    from aster_dse.workload import identify_data

    with bytes_progress(_LABEL) as on_bytes:
        found = identify_data(candidate.workload, data=data, on_bytes=on_bytes)
    if found is None:
        return candidate
    workload = candidate.workload.model_copy(update={"data": found.sha256})
    return candidate.model_copy(update={"workload": workload})


def loaded(workload: WorkloadConfig, data: Path | None) -> Workload:
    """The data set, its files read with progress where they were not before.

    Raises:
        DataMismatchError: the folder holds other data than the configuration says.
        NotFoundError: the data set, or a file of it, is missing.
        InputError: a damaged file, or a cache that cannot be written.
    """
    from aster_dse.workload import identify_data, load_workload

    with bytes_progress(_LABEL) as on_bytes:
        identify_data(workload, data=data, on_bytes=on_bytes)
    return load_workload(workload, data=data)


def say_unverified(
    reader: StudyReader | StudyStore, study: StudyRow, trials: Sequence[int] | None = None
) -> None:
    """One line where results of a study are of data that was not recorded.

    Args:
        trials: those that matter; None for all.
    """
    from aster_dse.store.shown import unverified_trials

    found = unverified_trials(reader.trials(study.id))
    count = len(found if trials is None else [number for number in found if number in trials])
    if count:
        say(
            f"data unverified: {count} trials of {study.name} were made by a version that did not record "
            "which data it read"
        )
