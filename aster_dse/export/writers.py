"""A document as text: YAML for people, JSON for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from aster_dse.errors import InputError
from aster_dse.export.document import CONFIDENCE, ExportDocument, ExportedPoint, RealArrays
from aster_dse.export.seal import SEAL, seal
from aster_dse.stored_files import write_whole

__all__ = ["FORMATS", "render", "write_atomically"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which a spreadsheet begins a formula, wherever the text came from."""

_TEST = ("accuracy", "low", "high", "samples", "accuracy_ideal", "accuracy_min", "accuracy_std", "chips")
_HEADER = """\
# Configurations chosen by aster-dse. metrics: on validation data, which the search saw; test: on data that it
# never saw, with its {confidence:.0%} confidence interval. hardware: what differs from the base accelerator.
# arrays: ideal, where accuracies are those of the plain network; else what the figures were measured with.
# Evaluate all of them again from scratch: aster-dse reproduce THIS-FILE
"""


def render(document: ExportDocument, format: str) -> str:
    """The text of a document in one of :data:`FORMATS`."""
    return FORMATS[format](document)


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all, in the place of an older one.

    Raises:
        InputError: it cannot be written there.
    """
    if path.is_dir():
        raise InputError(str(path), "it is a folder", "name a file")
    try:
        if path.exists() and not path.is_file():  # a pipe, a device: nothing may take its place
            path.write_text(text, encoding="utf-8", newline="")
            return
        write_whole(path, text.encode())
    except OSError as error:
        raise InputError(str(path), f"cannot be written: {error.strerror}", "name another file") from None


def _yaml(document: ExportDocument) -> str:
    content = _sealed(document)
    points = content.pop("points")
    parts = [_HEADER.format(confidence=CONFIDENCE), _dump(content), "points:\n"]
    for position, point in enumerate(points):
        body = _dump([point]).splitlines(keepends=True)
        parts.append(f"\n# point {position}\n")
        parts += body
    return "".join(parts)


def _dump(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _json(document: ExportDocument) -> str:
    return json.dumps(_sealed(document), indent=2, ensure_ascii=False) + "\n"


def _sealed(document: ExportDocument) -> dict[str, Any]:
    content = document.model_dump(mode="json")
    points = content.pop("points")
    return {**content, SEAL: seal({**content, "points": points}), "points": points}


def _csv(document: ExportDocument) -> str:
    rows = []
    for point in document.points:
        test = point.test.model_dump() if point.test is not None else {}
        row: dict[str, Any] = {
            "study": document.study,
            "trial": point.trial,
            "index": point.index,
            "feasible": point.feasible,
            "violation": point.violation,
            **_arrays(point),
            **point.metrics,
            **dict(
                zip(("accuracy_low", "accuracy_high"), point.accuracy_interval or (None, None), strict=True)
            ),
            **{f"test_{name}": test.get(name) for name in _TEST},
            "data": point.data,
            "training_key": point.training_key,
        }
        for group, knobs in point.configuration.model_dump(mode="json").items():
            row |= {f"{group}.{name}": value for name, value in knobs.items()}
        row.pop("workload.data", None)  # told in a column of its own
        rows.append({name: _cell(value) for name, value in row.items()})
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _arrays(point: ExportedPoint) -> dict[str, Any]:
    """What the accuracies are of, and on real arrays what they were measured with; else empty cells."""
    real = point.arrays if isinstance(point.arrays, RealArrays) else None
    entries = ("conditions", "chips", "first_chip", "calibration_set")
    measured = {f"arrays_{name}": None if real is None else getattr(real, name) for name in entries}
    return {"arrays": "ideal" if real is None else "real", **measured}


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would compute is kept text by an apostrophe; a number cannot be a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    if isinstance(value, bool):
        return str(value).lower()
    return value


FORMATS: Mapping[str, Callable[[ExportDocument], str]] = {"yaml": _yaml, "json": _json, "csv": _csv}
