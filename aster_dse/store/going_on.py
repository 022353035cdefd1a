"""How a study can be gone on with: the command that has something to do, or why there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
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
    trials, limit, networks = _asked_for(json.dumps(study.space), study.name)
    ended = counts.complete + counts.failed + counts.paused
    trained = counts.complete - counts.reused + counts.failed + counts.paused
    if not counts.running and limit is not None and trained >= limit:
        return None
    if networks is not None and ended >= networks:
        return None
    target = max(trials, ended + counts.running)
    return target if ended < target else 2 * ended


@lru_cache(maxsize=256)
def _asked_for(space: str, study: str) -> tuple[int, int | None, int | None]:
    """Trials, trainings at most and networks of a space in JSON; a dashboard asks again and again."""
    searched = SearchSpace.from_mapping(json.loads(space), f"study {study}")
    return searched.search.trials, searched.search.trainings, searched.size().outer


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
