"""How a study can be gone on with: the command that has something to do, or why there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aster_dse.commands import Places, command
from aster_dse.errors import InputError
from aster_dse.space import SearchSpace
from aster_dse.store.rows import StudyCounts, StudyRow

__all__ = ["data_places", "resume_command", "trials_to_reach"]


def trials_to_reach(study: StudyRow, counts: StudyCounts) -> int | None:
    """Trials to ask for so that a search of the study has something to do.

    What is left of those that it was begun with, else as many again; None where no network is left.
    """
    space = SearchSpace.from_mapping(study.space, f"study {study.name}")
    ended = counts.complete + counts.failed + counts.paused
    limit, trained = space.search.trainings, counts.complete - counts.reused + counts.failed + counts.paused
    networks = space.size().outer
    if not counts.running and limit is not None and trained >= limit:
        return None
    if networks is not None and ended >= networks:
        return None
    target = max(space.search.trials, ended + counts.running)
    return target if ended < target else 2 * ended


def data_places(study: StudyRow, places: Places) -> Places:
    """The same places, with the folder in which the study's data sets lay when it last ran."""
    roots = [Path(entry["root"]) for entry in study.data or ()]
    return replace(places, data=roots[-1]) if roots else places


def resume_command(study: StudyRow, counts: StudyCounts, places: Places) -> str | None:
    """The command that goes on with a study; None where nothing is left to do, or where this version cannot
    read what is searched."""
    try:
        trials = trials_to_reach(study, counts)
    except InputError:
        return None
    if trials is None:
        return None
    # What it was begun with needs not be said.
    options = () if trials == study.space["search"]["trials"] else ("--trials", trials)
    return command("resume", study.name, options=options, places=data_places(study, places))
