"""Which evaluations are of weights that are gone: their network was made anew and came out differently."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from aster_dse.errors import AsterError
from aster_dse.evaluation.result import Evaluation
from aster_dse.store.checksums import with_checksum
from aster_dse.store.encoding import dump_json, finite, load_json, pack_json
from aster_dse.store.rows import StaleTrial, TrialState
from aster_dse.store.tables import evaluation_details, evaluations, trainings, trials

__all__ = ["note_weights", "read_stale", "replace_evaluations"]

_UNKNOWN = ""
"""Weights of trials of older versions whose network was made anew since."""


def note_weights(connection: Connection, key: str, weights: str | None, *, made_anew: bool) -> bool:
    """Before a training is recorded: hold its weights against those that are known.

    Trials of older versions do not say of which weights they are. Where the network was found, they are of
    these; where it was made anew, of others.

    Returns:
        Whether other weights are known of this network.
    """
    if weights is None:
        return False
    known = connection.execute(select(trainings.c.weights).where(trainings.c.key == key)).one_or_none()
    if known is None:
        return False
    if known.weights is None:
        older = (
            trials.c.training_key == key,
            trials.c.state == TrialState.COMPLETE,
            trials.c.weights.is_(None),
        )
        connection.execute(update(trials).where(*older).values(weights=_UNKNOWN if made_anew else weights))
        connection.execute(update(trainings).where(trainings.c.key == key).values(weights=weights))
        return False
    return bool(known.weights != weights)


def read_stale(connection: Connection, study_id: int) -> list[StaleTrial]:
    """The complete trials of a study whose evaluations are of other weights than their network has now."""
    found = connection.execute(
        select(trials.c.id, trials.c.number, trials.c.candidate, trials.c.training_key)
        .join(trainings, trainings.c.key == trials.c.training_key)
        .where(
            trials.c.study_id == study_id,
            trials.c.state == TrialState.COMPLETE,
            trials.c.weights != trainings.c.weights,
        )
        .order_by(trials.c.number)
    ).all()
    stale = []
    for row in found:
        inner = connection.scalars(
            select(evaluations.c.assignment)
            .where(evaluations.c.trial_id == row.id)
            .order_by(evaluations.c.position)
        )
        assignments = tuple(load_json(text) for text in inner)
        stale.append(StaleTrial(row.number, row.training_key, load_json(row.candidate), assignments))
    return stale


def replace_evaluations(
    connection: Connection, study_id: int, number: int, scored: Sequence[Evaluation], weights: str
) -> None:
    """Put new figures in the place of a complete trial's, in the same order, with new ids.

    Raises:
        AsterError: the trial is not complete, or these are not its evaluations.
    """
    trial = connection.execute(
        select(trials.c.id, trials.c.state).where(trials.c.study_id == study_id, trials.c.number == number)
    ).one_or_none()
    if trial is None or trial.state != TrialState.COMPLETE:
        raise AsterError(f"study {study_id} has no complete trial {number}")
    before = connection.execute(
        select(evaluations.c.assignment, evaluations.c.told_order)
        .where(evaluations.c.trial_id == trial.id)
        .order_by(evaluations.c.position)
    ).all()
    assignments = [dump_json(evaluation.assignment) for evaluation in scored]
    if assignments != [row.assignment for row in before]:
        raise AsterError(f"the new evaluations of trial {number} are not those that it has")
    connection.execute(delete(evaluations).where(evaluations.c.trial_id == trial.id))
    connection.execute(delete(evaluation_details).where(evaluation_details.c.trial_id == trial.id))
    if scored:
        connection.execute(
            insert(evaluations),
            [
                with_checksum(
                    {
                        "study_id": study_id,
                        "trial_id": trial.id,
                        "position": position,
                        "assignment": row.assignment,
                        **{name: finite(name, value) for name, value in evaluation.metrics.items()},
                        "violation": finite("violation", evaluation.violation),
                        "told_order": row.told_order,
                    }
                )
                for position, (evaluation, row) in enumerate(zip(scored, before, strict=True))
            ],
        )
        connection.execute(
            insert(evaluation_details),
            [
                {"trial_id": trial.id, "position": position, "packed": pack_json(evaluation.detail)}
                for position, evaluation in enumerate(scored)
            ],
        )
    feasible = sum(evaluation.feasible for evaluation in scored)
    connection.execute(
        update(trials).where(trials.c.id == trial.id).values(feasible=feasible, weights=weights)
    )
