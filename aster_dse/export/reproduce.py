"""Exported configurations evaluated again from nothing, and by how much the figures differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aster_dse.errors import AsterError, InputError, NotFoundError
from aster_dse.export.document import ExportDocument, ExportedPoint
from aster_dse.export.points import inner_assignment
from aster_dse.search.protocol import Executor, NetworkFailure, NetworkJob
from aster_dse.space import METRICS
from aster_dse.space.document import Place, parse_yaml

__all__ = ["Reproduction", "load_document", "reproduce"]

COST_TOLERANCE = 1e-9
"""Greatest relative difference of a cost: sums may be formed in another order."""

_EXACT = tuple(name for name, metric in METRICS.items() if not metric.costs)
"""Counts of samples and steps, which the same machine gives again to the last bit."""


@dataclass(frozen=True)
class Reproduction:
    """The figures of one point as they were stored and as they came out now."""

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
            difference <= (0.0 if name in _EXACT else COST_TOLERANCE)
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
    if content is None:
        content = parse_yaml(text, Place(str(path)))
    try:
        return ExportDocument.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path}: {where}" if where else str(path), first["msg"].lower(), "a file from aster-dse export"
        ) from None


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
    constraints: Sequence[str] = (),
    on_report: Any = None,
) -> Iterator[Reproduction]:
    """Evaluate points again, each network trained once; they come as their networks are done.

    Args:
        study: name for the jobs.
        points: what to evaluate.
        executor: runs the jobs.
        artifacts: an empty folder, or what is found there is not trained again.
        constraints: of the study.
        on_report: is given the reports of running trainings.

    Raises:
        AsterError: a network could not be trained or evaluated.
    """
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
            )
        )
    for _ in waiting:
        outcome = executor.wait(on_report)
        group = waiting[outcome.trial]
        if isinstance(outcome, NetworkFailure):
            raise AsterError(f"trial {group[0].trial} cannot be reproduced: {outcome.reason}")
        for point, evaluation in zip(group, outcome.evaluations, strict=True):
            stored = {name: point.metrics[name] for name in METRICS if name in point.metrics}
            yield Reproduction(
                point.trial, point.index, stored, {name: evaluation.metrics[name] for name in stored}
            )
