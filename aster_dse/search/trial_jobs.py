"""The work of a trial as an executor takes it: a network, the data of its study, and what is asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aster_dse.evaluation.question import InnerQuestion
from aster_dse.search.journal import Journal
from aster_dse.search.protocol import NetworkJob
from aster_dse.search.scheduler import Proposal
from aster_dse.search.study import known_data
from aster_dse.space import Candidate, SearchSpace
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
    """

    def __init__(self, store: Journal, study: StudyRow, space: SearchSpace, artifacts: Path) -> None:
        self._study, self._space, self._artifacts = study, space, artifacts
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

    def job(self, number: int, proposal: Proposal, *, pause_at: int | None, resumed: bool) -> NetworkJob:
        """The work of a trial.

        Args:
            pause_at: epoch after which to pause the training.
            resumed: whether it paused before, and goes on from its checkpoint.
        """
        candidate = self.candidate(number, proposal)
        return NetworkJob(
            study=self._study.name,
            trial=number,
            candidate=candidate,
            inner=(),
            constraints=tuple(str(bound) for bound in self._space.constraints),
            artifacts=str(self._artifacts),
            question=self._question(proposal.seed),
            pause_at=pause_at,
            files=self._checkpoint(candidate) if resumed else {},
        )

    def _question(self, seed: int) -> InnerQuestion:
        space = self._space
        return InnerQuestion(
            parameters=space.inner,
            inactive={parameter.path: space.fixed[parameter.path] for parameter in space.inner},
            objectives=dict(space.objectives),
            constraints=tuple(str(bound) for bound in space.constraints),
            count=space.search.inner,
            seed=seed,
            passes=space.search.passes,
        )

    def _checkpoint(self, candidate: Candidate) -> dict[str, bytes]:
        """Where a training that paused stands: the worker that resumes it may not see this disk."""
        from aster_dse.training.checkpoint import EPOCH_FILE

        path = self._artifacts / candidate.training_key() / EPOCH_FILE
        return {EPOCH_FILE: path.read_bytes()} if path.is_file() else {}
