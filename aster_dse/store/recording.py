"""What happens to a trial, as statements of a transaction that the caller holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from aster_dse.errors import AsterError, ExistsError, NotFoundError
from aster_dse.evaluation.result import Evaluation
from aster_dse.space import METRICS
from aster_dse.store.checksums import REPEAT_FIELDS, TRIAL_FIELDS, checksum, with_checksum
from aster_dse.store.encoding import (
    dump_json,
    finite,
    pack_json,
    plain_text,
)
from aster_dse.store.network_files import kind_of
from aster_dse.store.recorded_networks import PASSES, record_artifacts, record_training, upsert
from aster_dse.store.rescored import replace_evaluations
from aster_dse.store.rows import Artifact, RepeatRow, TrialState
from aster_dse.store.tables import (
    attempts,
    evaluation_details,
    evaluations,
    looks,
    repeats,
    trials,
)

if TYPE_CHECKING:
    from aster_dse.search.protocol import NetworkFailure, NetworkPause, NetworkResult

__all__ = ["Recorder", "artifact_of"]


def artifact_of(root: Path, training_key: str, path: Path) -> Artifact:
    """Describe a file below the artifacts folder ``root``, with its digest.

    Raises:
        ValueError: it lies elsewhere.
    """
    relative = path.resolve().relative_to(root.resolve()).as_posix()
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Artifact(training_key, kind_of(relative), relative, digest, path.stat().st_size)


@dataclass(frozen=True)
class Recorder:
    """One moment in the life of a study: everything it writes is of the same transaction and time."""

    connection: Connection
    study_id: int
    now: datetime

    def begin(
        self, number: int, assignment: Mapping[str, Any], candidate: Mapping[str, Any], training_key: str
    ) -> None:
        said = {
            "number": number,
            "training_key": training_key,
            "assignment": dump_json(dict(assignment)),
            "candidate": dump_json(dict(candidate)),
        }
        statement = insert(trials).values(
            **with_checksum(said, TRIAL_FIELDS),
            study_id=self.study_id,
            state=TrialState.RUNNING,
            started_at=self.now,
            reused=False,
            wall_s=0.0,
            peak_memory_mib=0.0,
            evaluations=0,
            feasible=0,
        )
        try:
            trial_id = self.connection.execute(statement.returning(trials.c.id)).scalar_one()
        except IntegrityError as error:
            raise ExistsError(f"study {self.study_id} has a trial {number} already") from error
        self._begin_attempt(trial_id, 1)

    def finish(self, result: NetworkResult, told: Sequence[int], files: Sequence[Artifact]) -> bool:
        trial = self._trial(result.trial)
        if not _runs(trial):
            return False
        if trial.training_key != result.training_key:
            raise AsterError(
                f"the result of trial {result.trial} is of network {result.training_key}, "
                f"where the trial asked for {trial.training_key}"
            )
        if len(set(told)) != len(told) or not set(told) <= set(range(len(result.evaluations))):
            raise ValueError(
                f"told {list(told)} are no distinct indices of {len(result.evaluations)} evaluations"
            )
        record_training(self.connection, result, self.now)
        record_artifacts(self.connection, result, files)
        self._record_evaluations(trial.id, result.evaluations, told)
        self._end(
            trial.id,
            TrialState.COMPLETE,
            # One that an earlier attempt trained, and that is scored anew, was not found.
            reused=result.reused and (trial.reused or not self._attempts(trial.id, TrialState.COMPLETE)),
            wall_s=trial.wall_s + finite("wall_s", result.wall_s),
            peak_memory_mib=finite("peak_memory_mib", result.peak_memory_mib),
            passes=_passes(result),
            weights=result.training.get("weights"),
            evaluations=len(result.evaluations),
            feasible=sum(evaluation.feasible for evaluation in result.evaluations),
        )
        self._end_attempt(
            trial.id,
            TrialState.COMPLETE,
            node=plain_text(result.node),
            executions=result.attempt,
            wall_s=finite("wall_s", result.wall_s),
        )
        return True

    def rescore(self, result: NetworkResult) -> None:
        record_training(self.connection, result, self.now)
        record_artifacts(self.connection, result, ())
        weights = str(result.training["weights"])
        replace_evaluations(self.connection, self.study_id, result.trial, result.evaluations, weights)

    def pause(self, pause: NetworkPause) -> bool:
        trial = self._trial(pause.trial)
        if not _runs(trial):
            return False
        order = self._last(looks.c.look_order, looks.c.study_id == self.study_id) + 1
        kept = [
            {
                "assignment": evaluation.assignment,
                "metrics": {name: finite(name, value) for name, value in evaluation.metrics.items()},
                "violation": finite("violation", evaluation.violation),
            }
            for evaluation in pause.evaluations
        ]
        self.connection.execute(
            insert(looks).values(
                study_id=self.study_id,
                trial_id=trial.id,
                epoch=pause.epoch,
                look_order=order,
                accuracy=finite("accuracy", pause.accuracy),
                packed=pack_json({"evaluations": kept}),
            )
        )
        wall_s = finite("wall_s", pause.wall_s)
        self._change(trial.id, paused_epoch=pause.epoch, wall_s=trial.wall_s + wall_s)
        self._end_attempt(
            trial.id,
            TrialState.COMPLETE,
            node=plain_text(pause.node),
            executions=pause.attempt,
            wall_s=wall_s,
        )
        return True

    def go_on(self, number: int) -> int:
        trial = self._trial(number)
        if trial.paused_epoch is None:
            raise AsterError(f"trial {number} of study {self.study_id} is not paused")
        self._change(trial.id, paused_epoch=None)
        return self._next_attempt(trial.id)

    def fail(self, failure: NetworkFailure) -> bool:
        trial = self._trial(failure.trial)
        if not _runs(trial):
            return False
        self._end(trial.id, TrialState.FAILED)
        self._end_attempt(
            trial.id,
            TrialState.FAILED,
            node=plain_text(failure.node),
            executions=failure.attempt,
            kind=plain_text(failure.kind),
            reason=plain_text(failure.reason),
            trace=plain_text(failure.trace),
        )
        return True

    def requeue(self, number: int, failure: NetworkFailure | None = None) -> int:
        trial = self._trial(number)
        why = {"kind": "driver", "reason": "the driver ended before the trial did"}
        if failure is not None:
            why = {"kind": plain_text(failure.kind), "reason": plain_text(failure.reason)}
        if trial.state == TrialState.COMPLETE:
            raise AsterError(f"trial {number} of study {self.study_id} is complete; it is not run again")
        if trial.paused_epoch is not None:
            raise AsterError(f"trial {number} of study {self.study_id} is paused; it can go on")
        if trial.state == TrialState.RUNNING and self._attempts(trial.id, TrialState.RUNNING):
            self._end_attempt(trial.id, TrialState.LOST, **why)
        elif trial.state == TrialState.FAILED:
            self._change(trial.id, state=TrialState.RUNNING, finished_at=None, finish_order=None)
        return self._next_attempt(trial.id)

    def repeat(self, row: RepeatRow) -> None:
        trial_id = self._trial(row.trial).id
        place = {"trial_id": trial_id, "position": row.index, "seed": row.seed}
        figures = {"training_key": row.training_key, **_finite_metrics(row.metrics)}
        values = {
            **figures,
            "study_id": self.study_id,
            "finished_at": self.now,
            "checksum": checksum([(place | figures)[name] for name in REPEAT_FIELDS]),
        }
        self.connection.execute(
            upsert(self.connection, repeats)
            .values(**place, **values)
            .on_conflict_do_update(index_elements=list(place), set_=values)
        )

    # --- trials and attempts

    def _trial(self, number: int) -> Row[Any]:
        row = self.connection.execute(
            select(trials).where(trials.c.study_id == self.study_id, trials.c.number == number)
        ).one_or_none()
        if row is None:
            raise NotFoundError(f"study {self.study_id} has no trial {number}")
        return row

    def _last(self, column: Column[Any], condition: Any) -> int:
        return self.connection.execute(select(func.max(column)).where(condition)).scalar_one() or 0

    def _change(self, trial_id: int, **values: Any) -> None:
        self.connection.execute(update(trials).where(trials.c.id == trial_id).values(values))

    def _end(self, trial_id: int, state: TrialState, **values: Any) -> None:
        order = self._last(trials.c.finish_order, trials.c.study_id == self.study_id) + 1
        self._change(trial_id, state=state, finished_at=self.now, finish_order=order, **values)

    def _attempts(self, trial_id: int, state: TrialState) -> int:
        of_state = (attempts.c.trial_id == trial_id) & (attempts.c.state == state)
        return self.connection.scalar(select(func.count()).select_from(attempts).where(of_state)) or 0

    def _next_attempt(self, trial_id: int) -> int:
        attempt = self._last(attempts.c.number, attempts.c.trial_id == trial_id) + 1
        self._begin_attempt(trial_id, attempt)
        return attempt

    def _begin_attempt(self, trial_id: int, number: int) -> None:
        self.connection.execute(
            insert(attempts).values(
                trial_id=trial_id,
                number=number,
                state=TrialState.RUNNING,
                node="",
                executions=0,
                started_at=self.now,
                wall_s=0.0,
                kind="",
                reason="",
                trace="",
            )
        )

    def _end_attempt(self, trial_id: int, state: TrialState, **values: Any) -> None:
        """Close the attempt that runs; where nobody measured it, its time is that since it began."""
        running = (attempts.c.trial_id == trial_id) & (attempts.c.state == TrialState.RUNNING)
        if "wall_s" not in values:
            began = self.connection.execute(select(attempts.c.started_at).where(running)).scalar_one()
            values["wall_s"] = (self.now - began).total_seconds()
        self.connection.execute(
            update(attempts).where(running).values(state=state, finished_at=self.now, **values)
        )

    # --- what a finished trial brings

    def _record_evaluations(self, trial_id: int, scored: Sequence[Evaluation], told: Sequence[int]) -> None:
        if not scored:
            return
        first = self._last(evaluations.c.told_order, evaluations.c.study_id == self.study_id) + 1
        orders = {index: first + place for place, index in enumerate(told)}
        self.connection.execute(
            insert(evaluations),
            [
                with_checksum(
                    {
                        "study_id": self.study_id,
                        "trial_id": trial_id,
                        "position": index,
                        "assignment": dump_json(evaluation.assignment),
                        **_finite_metrics(evaluation.metrics),
                        "violation": finite("violation", evaluation.violation),
                        "told_order": orders.get(index),
                    }
                )
                for index, evaluation in enumerate(scored)
            ],
        )
        self.connection.execute(
            insert(evaluation_details),
            [
                {"trial_id": trial_id, "position": index, "packed": pack_json(evaluation.detail)}
                for index, evaluation in enumerate(scored)
            ],
        )


def _runs(trial: Row[Any]) -> bool:
    return trial.state == TrialState.RUNNING and trial.paused_epoch is None


def _passes(result: NetworkResult) -> str | None:
    """What came of the passes; None where arrays are ideal."""
    found = {name: result.training[name] for name in PASSES if name in result.training}
    return dump_json(found) if found else None


def _finite_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    if metrics.keys() != METRICS.keys():
        different = ", ".join(sorted(metrics.keys() ^ METRICS.keys()))
        raise AsterError(f"an evaluation must have every metric and no other: {different}")
    return {name: finite(name, value) for name, value in metrics.items()}
