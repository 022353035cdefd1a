"""Scores evaluations anew whose network was made anew and came out differently: their figures are of weights
that are gone.

A network is trained again where its file is lost or damaged. On the same machine with as many threads it
comes out the same to the bit, elsewhere it may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.errors import AsterError
from aster_dse.search.journal import Journal
from aster_dse.search.kept_files import keep_files, known_files
from aster_dse.search.outcomes import problem_of_figures
from aster_dse.search.protocol import Executor, FileReport, NetworkFailure, NetworkJob, NetworkPause, Report
from aster_dse.search.telling import Observer
from aster_dse.space import Candidate

if TYPE_CHECKING:
    from aster_dse.store.rows import StudyRow

__all__ = ["rescore", "rescore_others"]


def rescore(
    store: Journal,
    study: StudyRow,
    executor: Executor,
    artifacts: Path,
    observer: Observer | None,
    texts: Mapping[str, str],
) -> int:
    """Score the evaluations of a study anew that are of weights which are gone; the lease must be held.

    Args:
        texts: of the user's own files that the study's figures are computed with.

    Returns:
        How many trials have new figures.
    """
    waiting = {trial.number: trial for trial in store.stale_trials(study.id)}
    for trial in waiting.values():
        executor.submit(
            NetworkJob(
                study=study.name,
                trial=trial.number,
                candidate=Candidate.model_validate(trial.candidate),
                inner=trial.assignments,
                constraints=study.constraints,
                artifacts=str(artifacts),
                expected=known_files(store, trial.training_key),
                user_files=texts,
            )
        )

    def say(number: int, text: str) -> None:
        if observer is not None:
            observer.file(FileReport(number, f"study {study.name}, trial {number}: {text}"))

    def on_report(report: Report) -> None:
        if isinstance(report, FileReport):
            say(report.trial, report.text)

    done = 0
    while waiting:
        outcome = executor.wait(on_report)
        if waiting.pop(outcome.trial, None) is None:
            continue
        if isinstance(outcome, NetworkFailure):
            problem = outcome.reason
        elif isinstance(outcome, NetworkPause):
            problem = "its training paused"
        else:
            problem = problem_of_figures(outcome.evaluations)
            if not problem:
                keep_files(artifacts, outcome)
                store.rescore_trial(study.id, outcome)
                done += 1
                count = len(outcome.evaluations)
                say(outcome.trial, f"its network was made anew and differs; {count} evaluations scored anew")
                continue
        say(outcome.trial, f"its network was made anew and differs, and cannot be scored anew: {problem}")
    return done


def rescore_others(
    store: Journal, study: StudyRow, executor: Executor, artifacts: Path, observer: Observer | None
) -> None:
    """The same for every other study of the database that no one drives; those that are driven do it at their
    next start."""
    for other in store.studies():
        stale = store.stale_trials(other.id) if other.id != study.id else []
        if not stale:
            continue
        try:
            with store.lease(other.id):
                texts = {} if other.model is None else other.model.texts
                rescore(store, other, executor, artifacts, observer, texts)
        except AsterError as error:
            if observer is not None:
                text = f"study {other.name}: evaluations of networks that were made anew remain: {error}"
                observer.file(FileReport(stale[0].number, text))
