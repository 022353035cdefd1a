"""Trained networks as a finished trial brings them: figures, history, weights and files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, delete, insert
from sqlalchemy.dialects import postgresql, sqlite

from aster_dse.store.encoding import artifact_path, dump_json, optional_finite
from aster_dse.store.network_files import kind_of
from aster_dse.store.rescored import note_weights
from aster_dse.store.rows import Artifact
from aster_dse.store.tables import artifacts, rungs, trainings

if TYPE_CHECKING:
    from aster_dse.search.protocol import NetworkResult

__all__ = ["PASSES", "record_artifacts", "record_training", "upsert"]

PASSES = ("array_classes", "passes_made", "calibrations_made", "passes_s", "passes_failed")
"""What a result's training says of the trial, not of the network."""
_TRAINING_COLUMNS: dict[str, type[int] | type[float]] = {
    "accuracy": float,
    "epochs": int,
    "parameters": int,
    "wall_s": float,
    "cpu_s": float,
    "resumed_from_epoch": int,
}


def record_training(connection: Connection, result: NetworkResult, now: datetime) -> None:
    """A training that ran replaces what is known of its key; one that was found adds what is missing."""
    report = dict(result.training)
    history: Sequence[Mapping[str, Any]] = report.pop("history", ())
    for name in PASSES:
        report.pop(name, None)
    values: dict[str, Any] = {}
    for name, kind in _TRAINING_COLUMNS.items():
        figure = optional_finite(name, report.pop(name, None))
        values[name] = None if figure is None else kind(figure)
    weights = report.pop("weights", None)
    values |= {"detail": dump_json(report), "finished_at": now, "weights": weights}
    replaced = note_weights(connection, result.training_key, weights, made_anew=not result.reused)
    statement = upsert(connection, trainings).values(key=result.training_key, **values)
    if result.reused and not replaced:
        statement = statement.on_conflict_do_nothing(index_elements=["key"])
    else:
        statement = statement.on_conflict_do_update(index_elements=["key"], set_=values)
    written = connection.execute(statement.returning(trainings.c.key)).scalar_one_or_none()
    if written is None:
        return
    connection.execute(delete(rungs).where(rungs.c.training_key == result.training_key))
    if history:
        connection.execute(
            insert(rungs),
            [
                {
                    "training_key": result.training_key,
                    "position": position,
                    "epoch": int(row.get("epoch", position + 1)),
                    "accuracy": optional_finite("accuracy", row.get("accuracy")),
                    "loss": optional_finite("loss", row.get("loss")),
                    "detail": dump_json(dict(row)),
                }
                for position, row in enumerate(history)
            ],
        )


def record_artifacts(connection: Connection, result: NetworkResult, files: Sequence[Artifact]) -> None:
    """Catalogue the files that a result brings, and those that the driver sees itself.

    Raises:
        ValueError: a file is of another network.
    """
    sent = [
        Artifact(
            training_key=result.training_key,
            kind=kind_of(name),
            path=f"{result.training_key}/{name}",
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
        )
        for name, content in result.files.items()
    ]
    for file in [*sent, *files]:
        if file.training_key != result.training_key:
            raise ValueError(f"{file.path} belongs to network {file.training_key}, not {result.training_key}")
        values = {"kind": file.kind, "sha256": file.sha256, "bytes": file.bytes}
        connection.execute(
            upsert(connection, artifacts)
            .values(training_key=file.training_key, path=artifact_path(file.path), **values)
            .on_conflict_do_update(index_elements=["training_key", "path"], set_=values)
        )


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens where the row is there already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
