"""Values to what a database holds, and back: canonical JSON, finite numbers, plain text."""

from __future__ import annotations

import json
import math
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from aster_dse.errors import InputError
from aster_dse.store.errors import DamagedRowError, NotFiniteError

__all__ = [
    "artifact_path",
    "dump_json",
    "finite",
    "load_json",
    "load_json_rows",
    "optional_finite",
    "pack_json",
    "plain_text",
    "study_name",
    "unpack_json",
]

NAME_LIMIT = 200


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as Python's own, without knowing NumPy."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON: {value!r}")


def dump_json(value: Any) -> str:
    """Canonical text: sorted keys, no blanks, ASCII (which also carries NUL, that PostgreSQL's text cannot).

    Raises:
        NotFiniteError: a NaN or an infinity anywhere inside.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError as error:
        raise NotFiniteError(f"NaN or infinity cannot be stored as JSON: {error}") from error


def load_json(text: str) -> Any:
    """What :func:`dump_json` wrote.

    Raises:
        DamagedRowError: it is not that.
    """
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise DamagedRowError("a document") from error


def load_json_rows(texts: Iterable[str]) -> list[Any]:
    """Many small documents in one pass of the parser, several times faster than one by one."""
    rows: list[Any] = load_json(f"[{','.join(texts)}]")
    return rows


def pack_json(value: Any) -> bytes:
    """Canonical JSON, deflated: breakdowns repeat the same names and shrink to about a tenth."""
    return zlib.compress(dump_json(value).encode("ascii"), level=6)


def unpack_json(packed: bytes) -> Any:
    """What :func:`pack_json` wrote; deflated text carries a checksum.

    Raises:
        DamagedRowError: it is not that.
    """
    try:
        text = zlib.decompress(packed)
    except (zlib.error, TypeError) as error:
        raise DamagedRowError("a breakdown") from error
    return load_json(text.decode("ascii", "replace"))


def finite(name: str, value: Any) -> float:
    """``value`` as a float.

    Raises:
        NotFiniteError: it is NaN, infinite, or no number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise NotFiniteError(f"{name} is {value!r}, not a number") from error
    if not math.isfinite(number):
        raise NotFiniteError(f"{name} is {number}, which cannot be stored")
    return number


def optional_finite(name: str, value: Any) -> float | None:
    return None if value is None else finite(name, value)


def plain_text(text: str) -> str:
    """Free text from a worker with what no database's text can hold (NUL, lone surrogates) replaced."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def study_name(name: str) -> str:
    """``name`` if it can be a study's.

    Any text on one line will do, quotes and markup included: names only ever travel as parameters.

    Raises:
        InputError: empty, longer than 200 characters, surrounded by blanks, or with control characters.
    """
    if not name or name != name.strip():
        raise InputError("study", f"the name {name!r} is empty or has blanks around it", "give it a name")
    if len(name) > NAME_LIMIT:
        raise InputError("study", f"the name has {len(name)} characters", f"at most {NAME_LIMIT}")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in name):
        raise InputError("study", f"the name {name!r} has control characters", "one line of plain text")
    return name


def artifact_path(path: str) -> str:
    """``path`` if it stays inside the artifacts folder.

    Raises:
        InputError: absolute, empty, or with a step upwards.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise InputError(
            "artifact", f"{path!r} leaves the artifacts folder", "a relative path such as k/x.npz"
        )
    return path
