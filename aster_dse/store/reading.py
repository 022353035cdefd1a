"""Every question one can ask a store, answered from rows to records; nothing here writes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Select, or_, select, union

from aster_dse.commands import Places, command
from aster_dse.errors import NotFoundError
from aster_dse.store import frames
from aster_dse.store.database import Database
from aster_dse.store.encoding import load_json
from aster_dse.store.lease import live_holder
from aster_dse.store.queries import (
    BARE_EVALUATION,
    EVALUATION,
    evaluation_of,
    in_state,
    read_analysis,
    read_counts,
    read_last,
    read_looks,
    read_repeats,
    read_studies,
    read_trials,
)
from aster_dse.store.rescored import read_stale
from aster_dse.store.rows import (
    Artifact,
    AttemptRow,
    EvaluationRow,
    LeaseHolder,
    LookRow,
    RepeatRow,
    StaleTrial,
    StudyCounts,
    StudyRow,
    StudySummary,
    ToldEvaluation,
    TrainingRow,
    TrialRow,
    TrialState,
)
from aster_dse.store.tables import (
    artifacts,
    attempts,
    evaluations,
    repeats,
    rungs,
    studies,
    trainings,
    trials,
)
from aster_dse.store.told import read_told

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyQueries"]

_AT_ONCE = 500
"""Trials named in one statement."""


class StudyQueries:
    """What readers and writers share. Studies are named by the integer id of their :class:`StudyRow`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def url(self) -> str:
        """Where the store is, its password hidden."""
        return self._database.shown

    @property
    def places(self) -> Places:
        """The store, for the commands that messages name."""
        return self._database.places

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the store can be used again, which opens new ones."""
        self._database.close()

    # --- studies

    def studies(self) -> list[StudyRow]:
        """All studies, oldest first."""
        with self._database.reading() as connection:
            return read_studies(connection)

    def study(self, name: str) -> StudyRow:
        """The study of this name.

        Raises:
            NotFoundError: there is none; the message names the ones that sound alike.
        """
        with self._database.reading() as connection:
            found = read_studies(connection, name=name)
            if found:
                return found[0]
            names = connection.scalars(select(studies.c.name)).all()
        close = difflib.get_close_matches(name, names, n=3)
        if close:
            hint = f"did you mean {' or '.join(map(repr, close))}?"
        else:
            listing = command("studies", places=self.places)
            hint = f"see them with: {listing}" if names else "there are none yet"
        raise NotFoundError(f"{self.url}: there is no study {name!r} ({hint})")

    def study_with_id(self, study_id: int) -> StudyRow:
        """The study of this id.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as connection:
            found = read_studies(connection, study_id=study_id)
        if not found:
            raise NotFoundError(f"{self.url}: there is no study with id {study_id}")
        return found[0]

    def summaries(self) -> list[StudySummary]:
        """All studies with their counts, oldest first; the time grows with trials, not with evaluations."""
        with self._database.reading() as connection:
            counted = read_counts(connection)
            last = read_last(connection, evaluations.c.id)
            return [
                StudySummary(study, counted.get(study.id, StudyCounts()), last[study.id])
                for study in read_studies(connection)
            ]

    def counts(self, study_id: int) -> StudyCounts:
        """How far a study is."""
        with self._database.reading() as connection:
            return read_counts(connection, study_id).get(study_id, StudyCounts())

    def lease_holder(self, study_id: int) -> LeaseHolder | None:
        """The driver that works on a study now, if any."""
        with self._database.reading() as connection:
            return live_holder(self._database, connection, study_id)

    # --- trials

    def trials(self, study_id: int, *, state: TrialState | None = None) -> list[TrialRow]:
        """The trials of a study by number."""
        with self._database.reading() as connection:
            return read_trials(connection, study_id, state=state)

    def trial(self, study_id: int, number: int) -> TrialRow:
        """One trial.

        Raises:
            NotFoundError: there is none of this number.
        """
        with self._database.reading() as connection:
            found = read_trials(connection, study_id, number=number)
        if not found:
            raise NotFoundError(f"{self.url}: study {study_id} has no trial {number}")
        return found[0]

    def orphans(self, study_id: int) -> list[TrialRow]:
        """Trials that are RUNNING by their rows. Under a fresh lease none of them really is."""
        return self.trials(study_id, state=TrialState.RUNNING)

    def attempts(self, study_id: int, number: int) -> list[AttemptRow]:
        """Every try of one trial, first one first."""
        statement = (
            select(attempts)
            .join(trials, trials.c.id == attempts.c.trial_id)
            .where(trials.c.study_id == study_id, trials.c.number == number)
            .order_by(attempts.c.number)
        )
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [
            AttemptRow(
                number=row.number,
                state=TrialState(row.state),
                node=row.node,
                executions=row.executions,
                started_at=row.started_at,
                finished_at=row.finished_at,
                wall_s=row.wall_s,
                kind=row.kind,
                reason=row.reason,
                trace=row.trace,
            )
            for row in rows
        ]

    def looks(self, study_id: int) -> list[LookRow]:
        """What was seen of networks before their trainings were over, in the order of seeing."""
        with self._database.reading() as connection:
            return read_looks(connection, study_id)

    def repeats(self, study_id: int) -> list[RepeatRow]:
        """What came of configurations on networks of other seeds, by trial, index and seed."""
        with self._database.reading() as connection:
            return read_repeats(connection, study_id)

    # --- trained networks

    def finished_keys(self) -> frozenset[str]:
        """Keys of every trained network that this database knows, whichever study asked for it."""
        with self._database.reading() as connection:
            return frozenset(connection.scalars(select(trainings.c.key)))

    def network_keys(self) -> frozenset[str]:
        """Keys of every network that some study's trial or repeat asked for, trained or not."""
        asked = union(select(trials.c.training_key), select(repeats.c.training_key))
        with self._database.reading() as connection:
            return frozenset(connection.scalars(asked))

    def scored_keys(self, study_id: int) -> list[str]:
        """Keys of the networks that a study has figures of: of trials that are complete or paused."""
        scored = or_(in_state(TrialState.COMPLETE), in_state(TrialState.PAUSED))
        statement = select(trials.c.training_key).where(trials.c.study_id == study_id, scored)
        with self._database.reading() as connection:
            return sorted(set(connection.scalars(statement)))

    def trainings(self, study_id: int) -> list[TrainingRow]:
        """The trained networks of a study's trials, by key."""
        asked = select(trials.c.training_key).where(trials.c.study_id == study_id)
        with self._database.reading() as connection:
            rows = connection.execute(
                select(trainings).where(trainings.c.key.in_(asked)).order_by(trainings.c.key)
            ).all()
        return [
            TrainingRow(
                key=row.key,
                accuracy=row.accuracy,
                epochs=row.epochs,
                parameters=row.parameters,
                wall_s=row.wall_s,
                cpu_s=row.cpu_s,
                resumed_from_epoch=row.resumed_from_epoch,
                detail=load_json(row.detail),
                finished_at=row.finished_at,
            )
            for row in rows
        ]

    def training_history(self, training_key: str) -> list[dict[str, Any]]:
        """The rows that a training reported, one per epoch, as it reported them."""
        with self._database.reading() as connection:
            texts = connection.scalars(
                select(rungs.c.detail).where(rungs.c.training_key == training_key).order_by(rungs.c.position)
            ).all()
        return [load_json(text) for text in texts]

    def artifacts(self, training_key: str) -> list[Artifact]:
        """The files of a trained network, by path."""
        return self._artifacts(
            select(artifacts).where(artifacts.c.training_key == training_key).order_by(artifacts.c.path)
        )

    def artifact(self, artifact_id: int) -> Artifact:
        """One file by its id.

        Raises:
            NotFoundError: there is none.
        """
        found = self._artifacts(select(artifacts).where(artifacts.c.id == artifact_id))
        if not found:
            raise NotFoundError(f"{self.url}: there is no artifact {artifact_id}")
        return found[0]

    def _artifacts(self, statement: Select[Any]) -> list[Artifact]:
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [Artifact(r.training_key, r.kind, r.path, r.sha256, r.bytes, r.id) for r in rows]

    # --- evaluations

    def evaluations(
        self,
        study_id: int,
        *,
        feasible: bool | None = None,
        columns: Sequence[str] | None = None,
        since: int = 0,
        trial: int | None = None,
    ) -> pd.DataFrame:
        """The evaluations of a study as a table, in the order they were stored.

        Args:
            study_id: the study.
            feasible: keep those that meet every constraint (True), or those that do not (False).
            columns: metrics, ``violation``, ``feasible``, ``told``, ``told_order``, ``training_key`` and
                paths of searched knobs (``policy.exit_threshold``). None gives the metrics, ``violation``,
                ``feasible``, ``told`` and every searched knob. ``id``, ``trial`` and ``index`` come first.
            since: keep ids greater than this. Rows of one study appear in the order of their ids, so the
                greatest id seen so far is all that a live reader must remember.
            trial: keep those of one trial.

        Raises:
            InputError: an unknown column.
        """
        with self._database.reading() as connection:
            return frames.read_evaluations(connection, study_id, feasible, columns, since, trial)

    def evaluation(self, study_id: int, trial: int, index: int) -> EvaluationRow:
        """One evaluation with its breakdown.

        Raises:
            NotFoundError: the trial has none at this index.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                EVALUATION.where(
                    evaluations.c.study_id == study_id,
                    trials.c.number == trial,
                    evaluations.c.position == index,
                )
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"{self.url}: study {study_id} has no evaluation {index} of a trial {trial}")
        return evaluation_of(row)

    def evaluations_at(self, study_id: int, places: Sequence[tuple[int, int]]) -> list[EvaluationRow]:
        """The evaluations at ``(trial, index)``, in that order, without their breakdowns.

        Raises:
            NotFoundError: a trial has none at its index.
        """
        wanted = sorted({trial for trial, _ in places})
        found: dict[tuple[int, int], EvaluationRow] = {}
        with self._database.reading() as connection:
            for begin in range(0, len(wanted), _AT_ONCE):
                part = trials.c.number.in_(wanted[begin : begin + _AT_ONCE])
                statement = BARE_EVALUATION.where(evaluations.c.study_id == study_id, part)
                for row in connection.execute(statement):
                    found[row.number, row.position] = evaluation_of(row)
        for trial, index in places:
            if (trial, index) not in found:
                raise NotFoundError(
                    f"{self.url}: study {study_id} has no evaluation {index} of a trial {trial}"
                )
        return [found[place] for place in places]

    def evaluation_with_id(self, evaluation_id: int) -> EvaluationRow:
        """The same by its id.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(EVALUATION.where(evaluations.c.id == evaluation_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"{self.url}: there is no evaluation with id {evaluation_id}")
        return evaluation_of(row)

    def told_evaluations(self, study_id: int) -> list[ToldEvaluation]:
        """What the sampler was told, in the order it was told: replaying it gives the sampler's state."""
        with self._database.reading() as connection:
            return read_told(connection, study_id)

    # --- answers

    def last_evaluation(self, study_id: int) -> int:
        """Greatest id of an evaluation of a study, 0 where it has none."""
        with self._database.reading() as connection:
            return read_last(connection, evaluations.c.id)[study_id]

    def analysis(self, study_id: int, question: str) -> Any | None:
        """The kept answer to a question about a study, None where it is older than the last evaluation."""
        with self._database.reading() as connection:
            return read_analysis(connection, study_id, question)

    # --- networks made anew

    def stale_trials(self, study_id: int) -> list[StaleTrial]:
        """Complete trials whose evaluations are of other weights than their network has now, by number."""
        with self._database.reading() as connection:
            return read_stale(connection, study_id)
