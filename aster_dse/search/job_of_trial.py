"""The job that a proposal makes, as it goes to an executor."""

from __future__ import annotations

from pathlib import Path

from aster_dse.evaluation.question import InnerQuestion
from aster_dse.search.protocol import NetworkJob
from aster_dse.search.scheduler import Proposal
from aster_dse.space import Candidate, SearchSpace

__all__ = ["job_for"]


def job_for(
    study: str,
    number: int,
    space: SearchSpace,
    proposal: Proposal,
    artifacts: Path,
    *,
    pause_at: int | None,
    paused_before: bool,
) -> NetworkJob:
    """The job of trial ``number``.

    Args:
        pause_at: epoch after which its training pauses; None trains to the end.
        paused_before: it goes on from a checkpoint, which the worker may not see on its own disk.
    """
    candidate = space.candidate(proposal.assignment)
    return NetworkJob(
        study=study,
        trial=number,
        candidate=candidate,
        inner=(),
        constraints=tuple(str(bound) for bound in space.constraints),
        artifacts=str(artifacts),
        question=_question(space, proposal.seed),
        pause_at=pause_at,
        files=_checkpoint(artifacts, candidate) if paused_before else {},
    )


def _question(space: SearchSpace, seed: int) -> InnerQuestion:
    return InnerQuestion(
        parameters=space.inner,
        inactive={parameter.path: space.fixed[parameter.path] for parameter in space.inner},
        objectives=dict(space.objectives),
        constraints=tuple(str(bound) for bound in space.constraints),
        count=space.search.inner,
        seed=seed,
        passes=space.search.passes,
    )


def _checkpoint(artifacts: Path, candidate: Candidate) -> dict[str, bytes]:
    from aster_dse.training.checkpoint import EPOCH_FILE

    path = artifacts / candidate.training_key() / EPOCH_FILE
    return {EPOCH_FILE: path.read_bytes()} if path.is_file() else {}
