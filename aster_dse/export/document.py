"""An exported document: chosen configurations, their figures, where they come from, how to get them again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_serializer

from aster_dse import __version__
from aster_dse.export.points import Point, configuration_dict
from aster_dse.space import METRICS, Candidate, PolicyConfig
from aster_dse.store.rows import RepeatRow, StudyRow

__all__ = [
    "CONFIDENCE",
    "ExportDocument",
    "ExportedPoint",
    "Interval",
    "Repeat",
    "TestAccuracy",
    "build_document",
]

CONFIDENCE = 0.95


class Interval(Protocol):
    """What a test run measured, with a Wilson interval of 95 % confidence."""

    @property
    def accuracy(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def samples(self) -> int: ...


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TestAccuracy(_Entry):
    """Share of test samples classified correctly. The search never saw them."""

    __test__ = False

    accuracy: float
    low: float
    high: float
    samples: int
    confidence: float = CONFIDENCE


class Repeat(_Entry):
    """The configuration on a network that was trained with another seed."""

    seed: int
    metrics: dict[str, float]


class ExportedPoint(_Entry):
    """One configuration. ``metrics`` are on validation data, ``test`` is on test data."""

    trial: Annotated[int, Field(ge=0)]
    index: Annotated[int, Field(ge=0)]
    feasible: bool
    violation: float
    """Relative excess over the constraints' bounds, summed; 0 where all hold."""
    metrics: dict[str, float]
    accuracy_interval: tuple[float, float] | None = None
    """Of the accuracy on validation data, with 95 % confidence (Wilson); the search chose by it."""
    repeats: tuple[Repeat, ...] = ()
    """What came of it with other seeds, where it was repeated."""
    test: TestAccuracy | None
    """None where the trained network is not on the machine that exported."""
    training_key: str
    configuration: Candidate
    reproduce: str
    """The command that evaluates this point again from scratch."""

    @field_serializer("configuration")
    def _configuration(self, candidate: Candidate) -> dict[str, Any]:
        return configuration_dict(candidate)


class ExportDocument(_Entry):
    """Configurations of one study."""

    format: Literal["aster-dse configurations"] = "aster-dse configurations"
    format_version: Literal[1] = 1
    created: AwareDatetime
    exported_by: str
    """Version of aster-dse that wrote the document."""
    study: str
    searched_by: str
    """Version of aster-dse that started the study."""
    space: str
    space_hash: str
    seed: int
    selection: str
    objectives: dict[str, str]
    constraints: tuple[str, ...]
    units: dict[str, str]
    points: Annotated[tuple[ExportedPoint, ...], Field(min_length=1)]


def build_document(
    study: StudyRow,
    points: Sequence[Point],
    *,
    selection: str,
    test_score: Callable[[Candidate], Interval | None],
    repeats: Sequence[RepeatRow] = (),
    path: Path | None = None,
) -> ExportDocument:
    """The document for some points of a study.

    Args:
        study: the study.
        points: at least one.
        selection: the words that chose them.
        test_score: accuracy of a configuration on test data, None where its network is not at hand.
        repeats: of the study.
        path: where the document will lie, for the commands inside it.
    """
    name = shlex.quote(str(path)) if path is not None else "FILE"
    exported = []
    scores: dict[tuple[str, PolicyConfig], Interval | None] = {}
    for position, point in enumerate(points):
        # Points that differ in the accelerator alone answer alike.
        tested = (point.training_key, point.candidate.policy)
        if tested not in scores:
            scores[tested] = test_score(point.candidate)
        score = scores[tested]
        exported.append(
            ExportedPoint(
                trial=point.trial,
                index=point.index,
                feasible=point.feasible,
                violation=point.violation,
                metrics={metric: point.metrics[metric] for metric in METRICS},
                accuracy_interval=point.accuracy_interval,
                repeats=tuple(
                    Repeat(seed=row.seed, metrics={metric: row.metrics[metric] for metric in METRICS})
                    for row in repeats
                    if (row.trial, row.index) == (point.trial, point.index)
                ),
                test=None
                if score is None
                else TestAccuracy(
                    accuracy=score.accuracy, low=score.low, high=score.high, samples=score.samples
                ),
                training_key=point.training_key,
                configuration=point.candidate,
                reproduce=f"aster-dse reproduce {name} --point {position}",
            )
        )
    return ExportDocument(
        created=datetime.now(UTC).replace(microsecond=0),
        exported_by=__version__,
        study=study.name,
        searched_by=study.code_version,
        space=str(study.space["name"]),
        space_hash=study.space_hash,
        seed=study.seed,
        selection=selection,
        objectives=study.objectives,
        constraints=study.constraints,
        units={metric.name: metric.unit for metric in METRICS.values()},
        points=tuple(exported),
    )
