"""``aster-dse trials``: what was tried."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from aster_dse.cli.options import DEFAULT_STORAGE, Json, Storage, StudyName
from aster_dse.cli.output import duration, number, print_json, print_table, table
from aster_dse.cli.trial_document import trial_dict
from aster_dse.cli.trial_facts import NO_BEST, most_accurate, outcome_of

__all__ = ["trials"]


class State(StrEnum):
    """What ``--state`` takes."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    FAILED = "failed"


def trials(
    study: StudyName,
    state: Annotated[State | None, typer.Option(help="Only trials in this state.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """List the trials of a study: each is a network with all that was scored on it."""
    from aster_dse.store import StudyReader, TrialState
    from aster_dse.store.shown import accuracy_is, arrays_of_study

    with StudyReader(storage) as reader:
        row = reader.study(study)
        found = reader.trials(row.id, state=None if state is None else TrialState(state.value))
        accuracies = {training.key: training.accuracy for training in reader.trainings(row.id)}
        seen = {look.trial: look.accuracy for look in reader.looks(row.id)}
        best = most_accurate(reader, row)
    found = found[-limit:] if limit is not None else found
    if json:
        print_json(
            [
                {
                    **trial_dict(study, trial, accuracies.get(trial.training_key)),
                    **best.get(trial.number, NO_BEST),
                }
                for trial in found
            ]
        )
        return
    real = arrays_of_study(row) == "real"
    of_network = "ideal\naccuracy" if real else "accuracy"
    columns = ["trial", "state", *(["accuracy"] if real else []), of_network]
    columns += ["configurations", "feasible", "time", "tries"]
    rows = table([*columns, "outcome"], right=["trial", *columns[2:]])
    for trial in found:
        accuracy = accuracies.get(trial.training_key) if trial.state == TrialState.COMPLETE else None
        if trial.state == TrialState.PAUSED:
            accuracy = seen.get(trial.number)
        on_arrays = best.get(trial.number, NO_BEST)
        if real and trial.number in best:
            accuracy = on_arrays["accuracy_ideal"]
        rows.add_row(
            str(trial.number),
            str(trial.state),
            *([number(on_arrays["accuracy"])] if real else []),
            number(accuracy),
            number(trial.evaluations),
            number(trial.feasible),
            duration(trial.wall_s) if trial.finished_at or trial.paused_epoch else "-",
            str(trial.attempts),
            outcome_of(trial),
        )
    print_table(rows)
    if real:
        print(f"{accuracy_is(row)}: of each trial's most accurate configuration")
