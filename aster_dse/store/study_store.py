"""The store as a search driver uses it: each step of the search is one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, union, update
from sqlalchemy.exc import IntegrityError

from aster_dse.errors import ExistsError, NotFoundError
from aster_dse.hardware.sources import ModelRecord
from aster_dse.store.checksums import checksum
from aster_dse.store.database import Database
from aster_dse.store.encoding import dump_json, finite, study_name
from aster_dse.store.errors import LeaseHeldError
from aster_dse.store.goals import check_objectives, check_reference, constraint_rows, objective_rows
from aster_dse.store.lease import Lease, check_lease, hold, live_holder
from aster_dse.store.queries import read_studies
from aster_dse.store.reading import StudyQueries
from aster_dse.store.recording import Recorder
from aster_dse.store.rescoring import take_back_figures
from aster_dse.store.rows import Artifact, RepeatRow, StudyRow
from aster_dse.store.schema import open_schema
from aster_dse.store.tables import analyses, objectives, repeats, studies, trainings, trials

if TYPE_CHECKING:
    from aster_dse.search.protocol import NetworkFailure, NetworkPause, NetworkResult

__all__ = ["StudyStore"]


class StudyStore(StudyQueries):
    """Studies, their trials and what came of them, in SQLite or PostgreSQL.

    An empty database gets its tables. While this store holds the lease of a study, each of its writes to that
    study is refused as soon as another driver has taken the lease over.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER:PASSWORD@HOST/DATABASE``.

    Raises:
        UnreachableError: the database cannot be reached or written.
        AsterError: it was made by another version.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))
        self._tokens: dict[int, str] = {}
        try:
            open_schema(self._database)
        except BaseException:
            self.close()
            raise

    # --- studies

    def create_study(
        self,
        name: str,
        *,
        space: Mapping[str, Any],
        space_hash: str,
        objectives: Mapping[str, str],
        constraints: Sequence[str] = (),
        seed: int = 0,
        sampler: str = "tpe",
        code_version: str = "",
        data: Sequence[Mapping[str, Any]] = (),
        model: ModelRecord | None = None,
        reference_point: Mapping[str, float] | None = None,
    ) -> StudyRow:
        """Create a study.

        Args:
            data: its data sets in folders, as :class:`aster_dse.workload.KnownData` has them.
            model: what its figures are computed with.
            reference_point: as for :meth:`set_reference_point`.

        Raises:
            ExistsError: there is one of this name.
            InputError: the name, an objective or a direction is not acceptable.
        """
        check_objectives(objectives, reference_point)
        values = {
            "name": study_name(name),
            "space": dump_json(dict(space)),
            "space_hash": space_hash,
            "seed": seed,
            "sampler": sampler,
            "code_version": code_version,
            "data": dump_json(list(data)),
            "model": None if model is None else dump_json(model.as_dict()),
        }
        with self._database.writing() as connection:
            now = self._database.now(connection)
            statement = insert(studies).values(**values, created_at=now, updated_at=now)
            try:
                study_id: int = connection.execute(statement.returning(studies.c.id)).scalar_one()
            except IntegrityError:
                raise ExistsError(f"{self.url}: there is a study {name!r} already") from None
            connection.execute(*objective_rows(study_id, objectives, reference_point))
            if constraints:
                connection.execute(*constraint_rows(study_id, constraints))
            return read_studies(connection, study_id=study_id)[0]

    def update_space(
        self, study_id: int, *, space: Mapping[str, Any], space_hash: str, model: ModelRecord | None = None
    ) -> StudyRow:
        """Replace the space of a study by one that adds to it, and what its figures are computed with."""
        values = {"space": dump_json(dict(space)), "space_hash": space_hash}
        if model is not None:
            values["model"] = dump_json(model.as_dict())
        with self._changing(study_id) as recorder:
            recorder.connection.execute(update(studies).where(studies.c.id == study_id).values(values))
            return read_studies(recorder.connection, study_id=study_id)[0]

    def set_data(self, study_id: int, data: Sequence[Mapping[str, Any]]) -> StudyRow:
        """Say what the data sets of a study are: it did not say so yet, or uses more of them by now."""
        with self._changing(study_id) as recorder:
            recorder.connection.execute(
                update(studies).where(studies.c.id == study_id).values(data=dump_json(list(data)))
            )
            return read_studies(recorder.connection, study_id=study_id)[0]

    def begin_rescoring(self, study_id: int, model: ModelRecord) -> None:
        """Take back every figure of a study, so that its networks are scored anew.

        Trials that were complete or paused are RUNNING again, for a driver to requeue; evaluations, repeats,
        what was seen of networks in training and the reference point are gone. Trainings stay.

        Args:
            model: what the new figures are computed with.
        """
        with self._changing(study_id) as recorder:
            take_back_figures(recorder.connection, study_id)
            recorder.connection.execute(
                update(studies).where(studies.c.id == study_id).values(model=dump_json(model.as_dict()))
            )

    def set_reference_point(self, study_id: int, point: Mapping[str, float]) -> None:
        """Fix the point that hypervolumes of the study refer to; it stays for good, so that they compare.

        Raises:
            ExistsError: it is set already, to another point.
            InputError: the point does not name every objective and nothing else.
        """
        values = {metric: finite(metric, value) for metric, value in point.items()}
        with self._changing(study_id) as recorder:
            study = read_studies(recorder.connection, study_id=study_id)[0]
            check_reference(values, study.objectives)
            if study.reference_point is not None and study.reference_point != values:
                raise ExistsError(
                    f"study {study.name!r} has its reference point already: {study.reference_point}"
                )
            for metric, value in values.items():
                recorder.connection.execute(
                    update(objectives)
                    .where(objectives.c.study_id == study_id, objectives.c.metric == metric)
                    .values(reference=value)
                )

    def delete_study(self, name: str) -> tuple[str, ...]:
        """Delete a study with all that is its own, and the trained networks that no other study's trial uses.

        Returns:
            The training keys of the networks that no other study knows, whether trained, paused, failed or
            repeated: what files there are of them are no longer known to the store.

        Raises:
            NotFoundError: there is none of this name.
            LeaseHeldError: it is being driven.
        """
        study_id = self.study(name).id
        with self._database.writing() as connection:
            connection.execute(select(studies.c.id).where(studies.c.id == study_id).with_for_update())
            holder = live_holder(self._database, connection, study_id)
            if holder is not None:
                raise LeaseHeldError(name, holder)
            keys = union(
                *(select(t.c.training_key).where(t.c.study_id == study_id) for t in (trials, repeats))
            )
            own = set(connection.scalars(keys))
            connection.execute(delete(studies).where(studies.c.id == study_id))
            used = union(select(trials.c.training_key), select(repeats.c.training_key))
            unused = own - set(connection.scalars(used))
            connection.execute(delete(trainings).where(trainings.c.key.in_(unused)))
            return tuple(sorted(unused))

    def keep_repeats(self, study_id: int, rows: Sequence[RepeatRow]) -> None:
        """Record what came of configurations on networks of other seeds; what is known of them is replaced.

        Raises:
            NotFiniteError: some figure is NaN or infinite; nothing was recorded.
            NotFoundError: a trial does not exist.
        """
        with self._changing(study_id) as recorder:
            for row in rows:
                recorder.repeat(row)

    def keep_analysis(self, study_id: int, question: str, document: Any, *, upto: int) -> None:
        """Keep an answer about the evaluations of a study up to one of them, for :meth:`analysis`."""
        own = (analyses.c.study_id == study_id, analyses.c.question == question)
        facts = {"question": question, "upto": upto, "document": dump_json(document)}
        values = {"study_id": study_id, **facts, "checksum": checksum(list(facts.values()))}
        with self._database.writing() as connection:
            # The lock of the study, lest two that keep the same answer meet.
            connection.execute(select(studies.c.id).where(studies.c.id == study_id).with_for_update())
            connection.execute(delete(analyses).where(*own))
            connection.execute(insert(analyses).values(**values))

    # --- the driver's right to write

    @contextmanager
    def lease(self, study_id: int, *, holder: str = "a search", ttl_s: float = 60.0) -> Iterator[Lease]:
        """Be the one driver of a study while the block runs.

        Args:
            study_id: the study.
            holder: what is driving, in the words that another driver's refusal will quote.
            ttl_s: seconds after which others may take the lease if this process can no longer renew it. They
                take it at once where they can see that this process is dead.

        Raises:
            LeaseHeldError: a live driver has it.
        """
        with hold(self._database, study_id, holder, ttl_s) as lease:
            # A lease that this store took from itself, after losing it, must not set the older block free.
            older = self._tokens.get(study_id)
            self._tokens[study_id] = lease.token
            try:
                yield lease
            finally:
                if older is None:
                    del self._tokens[study_id]
                else:
                    self._tokens[study_id] = older

    # --- trials, each call one transaction

    def begin_trial(
        self,
        study_id: int,
        number: int,
        *,
        assignment: Mapping[str, Any],
        candidate: Mapping[str, Any],
        training_key: str,
    ) -> None:
        """Record what was asked of the sampler, before any work on it starts.

        Args:
            study_id: the study.
            number: of the trial, unique in the study.
            assignment: every searched knob by path, outer and inner.
            candidate: the complete configuration.
            training_key: content address of the network it needs.

        Raises:
            ExistsError: the study has a trial of this number.
        """
        with self._changing(study_id) as recorder:
            recorder.begin(number, assignment, candidate, training_key)

    def finish_trial(
        self,
        study_id: int,
        result: NetworkResult,
        told: Sequence[int],
        *,
        artifacts: Sequence[Artifact] = (),
    ) -> bool:
        """Record a finished trial with its training, its evaluations and which of them the sampler is told.

        Args:
            study_id: the study.
            result: what the executor returned; its ``files`` are catalogued below its training key.
            told: indices into ``result.evaluations``, in the order of telling.
            artifacts: files of the trained network that the driver sees on its own disk.

        Returns:
            False where the trial had ended already: the first outcome stands, this one is ignored.

        Raises:
            NotFiniteError: some figure is NaN or infinite; nothing was recorded.
            LeaseLostError: another driver has taken over; nothing was recorded.
        """
        with self._changing(study_id) as recorder:
            return recorder.finish(result, told, artifacts)

    def pause_trial(self, study_id: int, pause: NetworkPause) -> bool:
        """Record that a training paused, with what was seen of its network.

        Returns:
            False where the trial does not run: it ended or paused already, and this is ignored.
        """
        with self._changing(study_id) as recorder:
            return recorder.pause(pause)

    def continue_trial(self, study_id: int, number: int) -> int:
        """Begin another attempt at a paused trial.

        Returns:
            The number of the new attempt.

        Raises:
            AsterError: the trial is not paused.
        """
        with self._changing(study_id) as recorder:
            return recorder.go_on(number)

    def fail_trial(self, study_id: int, failure: NetworkFailure) -> bool:
        """Record that a trial failed, and why.

        Returns:
            False where the trial had ended already: the first outcome stands, this one is ignored.
        """
        with self._changing(study_id) as recorder:
            return recorder.fail(failure)

    def rescore_trial(self, study_id: int, result: NetworkResult) -> None:
        """Put the figures of a network that was made anew in the place of a complete trial's.

        Raises:
            NotFiniteError: some figure is NaN or infinite; nothing was recorded.
            AsterError: the trial is not complete, or the evaluations are not those that it has.
        """
        with self._changing(study_id) as recorder:
            recorder.rescore(result)

    def requeue(self, study_id: int, number: int, failure: NetworkFailure | None = None) -> int:
        """Begin another attempt at a trial that failed, was interrupted by ``failure``, or was left RUNNING.

        Returns:
            The number of the new attempt.

        Raises:
            AsterError: the trial is complete.
        """
        with self._changing(study_id) as recorder:
            return recorder.requeue(number, failure)

    @contextmanager
    def _changing(self, study_id: int) -> Iterator[Recorder]:
        """One transaction on a study, which others that change the same study wait for."""
        with self._database.writing() as connection:
            now = self._database.now(connection)
            # Also the lock: on PostgreSQL the row stays this transaction's until its end.
            touched = connection.execute(
                update(studies).where(studies.c.id == study_id).values(updated_at=now)
            )
            if touched.rowcount == 0:
                raise NotFoundError(f"{self.url}: there is no study with id {study_id}")
            token = self._tokens.get(study_id)
            if token is not None:
                check_lease(connection, study_id, token)
            yield Recorder(connection, study_id, now)
