"""Exported configurations evaluated again from nothing, and by how much the figures differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aster_dse.errors import AsterError, DataMismatchError, InputError, NotFoundError
from aster_dse.export.document import ExportDocument, ExportedPoint, Interval, RealArrays
from aster_dse.export.points import inner_assignment
from aster_dse.export.seal import check_seal, unsealed
from aster_dse.hardware.documents import user_files
from aster_dse.numerics.arrays import NUMERICS_VERSION
from aster_dse.search.kept_files import keep_files
from aster_dse.search.protocol import Executor, NetworkFailure, NetworkJob, NetworkResult
from aster_dse.space import METRICS, Candidate
from aster_dse.space.document import Place, in_lines, parse_yaml
from aster_dse.space.model_words import model_error

__all__ = ["Reproduction", "load_document", "reproduce"]

COST_TOLERANCE = 1e-9
"""Greatest relative difference of a cost: sums may be formed in another order."""

_INEXACT = frozenset(name for name, metric in METRICS.items() if metric.costs)
"""All others count samples and steps, which the same machine gives again to the last bit."""
_TESTED = ("accuracy", "accuracy_ideal", "accuracy_min", "accuracy_std")


@dataclass(frozen=True)
class Reproduction:
    """The figures of one point as they were stored and as they came out now.

    Its metrics, and what it states of the test split as ``test_accuracy`` and so on.
    """

    trial: int
    index: int
    stored: dict[str, float]
    now: dict[str, float]

    @property
    def relative_difference(self) -> dict[str, float]:
        """By metric, of what was stored."""
        return {
            name: 0.0 if self.now[name] == value else abs(self.now[name] - value) / max(abs(value), 1e-300)
            for name, value in self.stored.items()
        }

    @property
    def agrees(self) -> bool:
        return all(
            difference <= (COST_TOLERANCE if name in _INEXACT else 0.0)
            for name, difference in self.relative_difference.items()
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "trial": self.trial,
            "index": self.index,
            "stored": dict(self.stored),
            "now": dict(self.now),
            "relative_difference": self.relative_difference,
            "agrees": self.agrees,
        }


def load_document(path: Path) -> ExportDocument:
    """Read an exported document, YAML or JSON.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is not such a document; the message has the path inside it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file (aster-dse export makes one)") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InputError(str(path), f"cannot be read: {reason}", "a file from aster-dse export") from None
    content = _json_or_none(text) if path.suffix == ".json" else None
    with in_lines(text, str(path)):
        if content is None:
            content = parse_yaml(text, Place(str(path)))
        try:
            document = ExportDocument.model_validate(unsealed(content))
        except ValidationError as error:
            remedy = "a file from aster-dse export"
            raise model_error(error, ExportDocument, str(path), remedy) from None
    check_seal(content, str(path))
    return document


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def reproduce(
    study: str,
    points: Sequence[ExportedPoint],
    executor: Executor,
    *,
    artifacts: Path,
    test_score: Callable[[Candidate], Interval | None],
    constraints: Sequence[str] = (),
    texts: Mapping[str, str] | None = None,
    on_report: Any = None,
) -> Iterator[Reproduction]:
    """Evaluate points again, each network trained once; they come as their networks are done.

    Args:
        study: name for the jobs.
        points: what to evaluate.
        executor: runs the jobs.
        artifacts: an empty folder, or what is found there is not trained again.
        test_score: accuracy of a configuration on test data, its network in ``artifacts``.
        constraints: of the study.
        texts: of libraries and presets in user files, by name.
        on_report: is given the reports of running jobs.

    Raises:
        InputError: a point was computed by another version of the arrays' numerics.
        DataMismatchError: a data set is not the one that a point is of.
        AsterError: a network could not be trained or evaluated.
    """
    for point in points:
        _check_version(point)
    by_network: dict[str, list[ExportedPoint]] = {}
    for point in points:
        by_network.setdefault(point.configuration.training_key(), []).append(point)
    waiting = list(by_network.values())
    for number, group in enumerate(waiting):
        executor.submit(
            NetworkJob(
                study=study,
                trial=number,
                candidate=group[0].configuration,
                inner=tuple(inner_assignment(point.configuration) for point in group),
                constraints=tuple(constraints),
                artifacts=str(artifacts),
                user_files=dict(texts or {}),
            )
        )
    for _ in waiting:
        outcome = executor.wait(on_report)
        group = waiting[outcome.trial]
        if isinstance(outcome, NetworkFailure) and outcome.kind == "mismatch":
            raise DataMismatchError(f"trial {group[0].trial}", outcome.reason, "")
        if isinstance(outcome, NetworkFailure):
            raise AsterError(f"trial {group[0].trial} cannot be reproduced: {outcome.reason}")
        if isinstance(outcome, NetworkResult):
            keep_files(artifacts, outcome)
        for point, evaluation in zip(group, outcome.evaluations, strict=True):
            stored = {name: point.metrics[name] for name in METRICS if name in point.metrics}
            now = {name: evaluation.metrics[name] for name in stored}
            if point.test is not None:
                stored |= _tested(point.test)
                with user_files(texts or {}):
                    now |= _tested(test_score(point.configuration))
            yield Reproduction(point.trial, point.index, stored, {name: now[name] for name in stored})


def _check_version(point: ExportedPoint) -> None:
    if isinstance(point.arrays, RealArrays) and point.arrays.numerics_version != NUMERICS_VERSION:
        raise InputError(
            f"trial {point.trial}, index {point.index}: arrays.numerics_version",
            f"{point.arrays.numerics_version}, but this version computes arrays by {NUMERICS_VERSION}",
            "reproduce it with the version that exported it",
        )


def _tested(score: Interval | None) -> dict[str, float]:
    """What is stated of the test split."""
    found = {f"test_{name}": getattr(score, name, None) for name in _TESTED}
    return {name: value for name, value in found.items() if value is not None}
