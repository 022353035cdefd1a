"""Checksums of rows: a database keeps none of its pages, and a figure with a bit turned is still a figure.

Each row of the tables that figures are read from carries the CRC-32 of what it says, which finds every damage
of up to 32 bits in a row. It is written with the row and compared whenever the row is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from aster_dse.space import METRICS
from aster_dse.store.errors import DamagedRowError

__all__ = ["EVALUATION_FIELDS", "REPEAT_FIELDS", "TRIAL_FIELDS", "check_rows", "checksum", "with_checksum"]

EVALUATION_FIELDS = ("trial_id", "position", "assignment", "told_order", "violation", *METRICS)
TRIAL_FIELDS = ("number", "training_key", "assignment", "candidate")
REPEAT_FIELDS = ("trial_id", "position", "seed", "training_key", *METRICS)


def checksum(values: Sequence[Any]) -> int:
    """CRC-32 of values as a database gives them back: numbers bit by bit, all else as text."""
    # SQLite knows no zero below zero: the sum makes it the other one.
    numbers = [value + 0.0 for value in values if value.__class__ is float]
    words = "\0".join([str(value) for value in values if value.__class__ is not float])
    packed = struct.pack(f"<{len(numbers)}d", *numbers)
    return zlib.crc32(words.encode("utf-8", "surrogatepass"), zlib.crc32(packed))


def with_checksum(row: dict[str, Any], fields: Iterable[str] = EVALUATION_FIELDS) -> dict[str, Any]:
    """A row to insert, with its checksum."""
    return row | {"checksum": checksum([row[name] for name in fields])}


def check_rows(rows: Iterable[Row[Any]], fields: Iterable[str], what: str) -> None:
    """Refuse rows that are not what was written.

    Raises:
        DamagedRowError: for the first of them.
    """
    names = (*fields, "checksum")
    for row in rows:
        facts = row._mapping
        *said, written = [facts[name] for name in names]
        if written is not None and checksum(said) != written:
            places = (f"{name} {facts[name]}" for name in ("number", "position") if name in facts)
            raise DamagedRowError(", ".join([f"a row of the {what}", *places]))
