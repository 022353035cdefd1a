"""The work of a trial as an executor takes it: a network, the data of its study, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.search.journal import Journal
from aster_dse.search.kept_files import files_of, known_files
from aster_dse.search.protocol import NetworkJob
from aster_dse.search.questions import inner_question
from aster_dse.search.scheduler import Proposal
from aster_dse.search.study import known_data
from aster_dse.space import Candidate, SearchSpace
from aster_dse.stored_files import SetAside
from aster_dse.workload import with_data

if TYPE_CHECKING:
    from aster_dse.store.rows import StudyRow

__all__ = ["TrialJobs"]


class TrialJobs:
    """Makes the jobs of a study.

    Args:
        store: holds the study.
        study: the study.
        space: what it searches.
        artifacts: folder of the trained networks' files.
        texts: of the user's own files that figures are computed with.
    """

    def __init__(
        self,
        store: Journal,
        study: StudyRow,
        space: SearchSpace,
        artifacts: Path,
        texts: Mapping[str, str],
    ) -> None:
        self._texts = dict(texts)
        self._store, self._study, self._space, self._artifacts = store, study, space, artifacts
        self._data = known_data(study)
        # Begun by an older version, which did not say what their data was: they keep their training keys.
        self._unidentified = {
            row.number
            for row in (store.trials(study.id) if self._data else ())
            if row.candidate["workload"].get("data") is None
        }

    def candidate(self, number: int, proposal: Proposal) -> Candidate:
        """The network of a trial, on the very data that its study began with."""
        candidate = self._space.candidate(proposal.assignment)
        if number in self._unidentified:
            return candidate
        return candidate.model_copy(update={"workload": with_data(candidate.workload, self._data)})

    def job(
        self,
        number: int,
        proposal: Proposal,
        *,
        pause_at: int | None,
        begun_before: bool,
        on_damage: Callable[[SetAside], None],
    ) -> NetworkJob:
        """The work of a trial.

        Args:
            pause_at: epoch after which to pause the training.
            begun_before: whether files of its network may be there already.
            on_damage: told of a checkpoint that was set aside.
        """
        candidate = self.candidate(number, proposal)
        return NetworkJob(
            study=self._study.name,
            trial=number,
            candidate=candidate,
            inner=(),
            constraints=tuple(str(bound) for bound in self._space.constraints),
            artifacts=str(self._artifacts),
            question=inner_question(self._space, proposal.seed),
            pause_at=pause_at,
            files=files_of(self._artifacts, candidate, on_damage) if begun_before else {},
            expected=known_files(self._store, candidate.training_key()),
            user_files=self._texts,
        )
