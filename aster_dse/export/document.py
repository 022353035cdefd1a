"""An exported document: chosen configurations, their figures, where they come from, how to get them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    model_serializer,
)

from aster_dse import __version__
from aster_dse.commands import Places, command
from aster_dse.evaluation.calibration_sets import SELECTION, VERIFICATION, first_chip_of
from aster_dse.export.model import Model
from aster_dse.export.points import Point, configuration_dict
from aster_dse.hardware import resolve
from aster_dse.hardware.documents import user_files
from aster_dse.numerics.arrays import NUMERICS_VERSION
from aster_dse.space import METRICS, Candidate, HardwareConfig, PolicyConfig
from aster_dse.store.rows import RepeatRow, StudyRow
from aster_dse.workload import data_of

__all__ = [
    "CONFIDENCE",
    "DataSet",
    "ExportDocument",
    "ExportedPoint",
    "Interval",
    "RealArrays",
    "Repeat",
    "TestAccuracy",
    "build_document",
]

CONFIDENCE = 0.95
_MEASURED = (
    *("accuracy", "low", "high", "samples"),
    *("accuracy_ideal", "accuracy_min", "accuracy_std", "chips"),
)


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
    @property
    def accuracy_ideal(self) -> float | None: ...
    @property
    def accuracy_min(self) -> float | None: ...
    @property
    def accuracy_std(self) -> float | None: ...
    @property
    def chips(self) -> int | None: ...


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TestAccuracy(_Entry):
    """Share of test samples classified correctly. The search never saw them.

    Where arrays are real, by the network as the arrays of the verified chips compute it, mean over chips; the
    entries after ``confidence`` are there only then.
    """

    __test__ = False

    accuracy: float
    low: float
    high: float
    samples: int
    confidence: float = CONFIDENCE
    accuracy_ideal: float | None = None
    """Of the plain network with the same policy."""
    accuracy_min: float | None = None
    """On the worst chip."""
    accuracy_std: float | None = None
    """Standard deviation between chips (n - 1), 0 at one chip."""
    chips: int | None = None

    @model_serializer(mode="wrap")
    def _stated(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class RealArrays(_Entry):
    """What the figures of a configuration on real arrays were measured with."""

    conditions: str
    """Of the cells, those of the library spelt out; ``none`` where they are as programmed."""
    chips: Annotated[int, Field(ge=1)]
    first_chip: Annotated[int, Field(ge=0)]
    """Number of the first chip that the figures are of; the search chose on others."""
    calibration_set: Annotated[int, Field(ge=0)]
    """Of the figures, the test accuracy included."""
    selection_calibration_set: Annotated[int, Field(ge=0)]
    """That the search chose on."""
    numerics_version: int


class Repeat(_Entry):
    """The configuration on a network that was trained with another seed."""

    seed: int
    metrics: dict[str, float]


class ExportedPoint(_Entry):
    """One configuration. ``metrics`` are on validation data, ``test`` is on test data.

    On real arrays both are verified: of a calibration set and of chips that the search did not choose by.
    """

    trial: Annotated[int, Field(ge=0)]
    index: Annotated[int, Field(ge=0)]
    feasible: bool
    violation: float
    """Relative excess over the constraints' bounds, summed; 0 where all hold."""
    arrays: Literal["ideal"] | RealArrays = "ideal"
    """``ideal``, as in every file of an older version: accuracies are those of the plain network."""
    metrics: dict[str, float]
    accuracy_interval: tuple[float, float] | None = None
    """Of the accuracy on validation data, with 95 % confidence (Wilson); the search chose by it."""
    repeats: tuple[Repeat, ...] = ()
    """What came of it with other seeds, where it was repeated."""
    data: str | None = None
    """SHA-256 of its data set; ``unverified`` where the version that found it did not record which data it
    read; None of a data set that is made, and in files of an older version."""
    test: TestAccuracy | None
    """None where the trained network is not on the machine that exported."""
    training_key: str
    configuration: Candidate
    reproduce: str
    """The command that evaluates this point again from scratch."""

    @field_serializer("configuration")
    def _configuration(self, candidate: Candidate) -> dict[str, Any]:
        return configuration_dict(candidate)


class DataSet(_Entry):
    """A data set in a folder, identified by its content (``aster_dse.workload.identity``)."""

    name: str
    folder: str | None
    """Under the folder in which data sets lie; None for the usual one."""
    sha256: str
    files: int
    bytes: int


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
    data: tuple[DataSet, ...] = ()
    """The study's data sets in folders; empty in files of an older version."""
    model: Model | Literal["unknown"] = "unknown"
    """``unknown`` in files of older versions, and of studies that those began."""
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
    data: Path | None = None,
) -> ExportDocument:
    """The document for some points of a study.

    Args:
        study: the study.
        points: at least one.
        selection: the words that chose them.
        test_score: accuracy of a configuration on test data, None where its network is not at hand.
        repeats: of the study.
        path: where the document will lie, for the commands inside it.
        data: folder in which data sets lie, for them too.
    """
    with user_files({} if study.model is None else study.model.texts):
        return _document(study, points, selection, test_score, repeats, path, data)


def _document(
    study: StudyRow,
    points: Sequence[Point],
    selection: str,
    test_score: Callable[[Candidate], Interval | None],
    repeats: Sequence[RepeatRow],
    path: Path | None,
    data: Path | None,
) -> ExportDocument:
    file, places = "FILE" if path is None else path, Places(data=data)
    exported = []
    scores = _scores(points, test_score)
    for position, (point, score) in enumerate(zip(points, scores, strict=True)):
        exported.append(
            ExportedPoint(
                trial=point.trial,
                index=point.index,
                feasible=point.feasible,
                violation=point.violation,
                arrays=_arrays(point.candidate),
                metrics={metric: point.metrics[metric] for metric in METRICS},
                accuracy_interval=point.accuracy_interval,
                repeats=tuple(
                    Repeat(seed=row.seed, metrics={metric: row.metrics[metric] for metric in METRICS})
                    for row in repeats
                    if (row.trial, row.index) == (point.trial, point.index)
                ),
                data=data_of(point.candidate.workload),
                test=None
                if score is None
                else TestAccuracy(**{name: getattr(score, name) for name in _MEASURED}),
                training_key=point.training_key,
                configuration=point.candidate,
                reproduce=command(
                    "reproduce", file, options=["--point", position], places=places, anywhere=True
                ),
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
        data=_data_sets(study),
        model="unknown" if study.model is None else Model.of(study.model),
        units={metric.name: metric.unit for metric in METRICS.values()},
        points=tuple(exported),
    )


def _data_sets(study: StudyRow) -> tuple[DataSet, ...]:
    found = {
        entry["sha256"]: DataSet(
            **{name: entry["workload"][name] for name in ("name", "folder")},
            **{name: entry[name] for name in ("sha256", "files", "bytes")},
        )
        for entry in study.data or ()
    }
    return tuple(found.values())


def _scores(
    points: Sequence[Point], test_score: Callable[[Candidate], Interval | None]
) -> list[Interval | None]:
    """The test score of each point: those of a network one after the other, equal ones once."""
    known: dict[tuple[str, PolicyConfig, HardwareConfig | None], Interval | None] = {}
    found: dict[int, Interval | None] = {}
    for position, point in sorted(enumerate(points), key=lambda entry: entry[1].training_key):
        # On ideal arrays points that differ in the accelerator alone answer alike.
        hardware = point.candidate.hardware
        tested = (point.training_key, point.candidate.policy, hardware if hardware.arrays == "real" else None)
        if tested not in known:
            known[tested] = test_score(point.candidate)
        found[position] = known[tested]
    return [found[position] for position in range(len(points))]


def _arrays(candidate: Candidate) -> Literal["ideal"] | RealArrays:
    if candidate.hardware.arrays != "real":
        return "ideal"
    accelerator = resolve(candidate.hardware)
    return RealArrays(
        conditions=accelerator.conditions.text,
        chips=accelerator.chips,
        first_chip=first_chip_of(accelerator.chips, VERIFICATION),
        calibration_set=VERIFICATION,
        selection_calibration_set=SELECTION,
        numerics_version=NUMERICS_VERSION,
    )
