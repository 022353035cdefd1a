"""What a search asks of every network."""

from __future__ import annotations

from aster_dse.evaluation.question import InnerQuestion
from aster_dse.space import SearchSpace

__all__ = ["inner_question"]


def inner_question(space: SearchSpace, seed: int) -> InnerQuestion:
    """The inner search of a space, drawn by ``seed``."""
    return InnerQuestion(
        parameters=space.inner,
        inactive={parameter.path: space.fixed[parameter.path] for parameter in space.inner},
        objectives=dict(space.objectives),
        constraints=tuple(str(bound) for bound in space.constraints),
        count=space.search.inner,
        seed=seed,
        passes=space.search.passes,
    )
