"""The YAML files that ship with the package, and the one way in which such files are checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aster_dse.errors import InputError
from aster_dse.space.document import Place, parse_yaml
from aster_dse.space.model_words import model_error

__all__ = [
    "file_text",
    "parse",
    "shipped_names",
    "shipped_table",
    "shipped_text",
    "user_files",
    "user_text",
    "validate",
]

_texts: ContextVar[Mapping[str, str]] = ContextVar("texts of user files")

ModelT = TypeVar("ModelT", bound=BaseModel)


@cache
def shipped_names(folder: str, ending: str = ".yaml") -> tuple[str, ...]:
    """Names of the files in a folder of this package, without their ending."""
    entries = resources.files(__package__).joinpath(folder).iterdir()
    return tuple(sorted(e.name.removesuffix(ending) for e in entries if e.name.endswith(ending)))


def shipped_text(folder: str, name: str) -> str:
    return resources.files(__package__).joinpath(folder, f"{name}.yaml").read_text("utf-8")


@cache
def shipped_table(folder: str, name: str) -> dict[str, Any]:
    """A table of many figures, which would be slow to read as YAML."""
    text = resources.files(__package__).joinpath(folder, f"{name}.json").read_text("utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


@contextmanager
def user_files(texts: Mapping[str, str]) -> Iterator[None]:
    """Inside the block, libraries and presets in user files are as these texts have them, not as on disk.

    So the figures of a study are all of the same files, wherever and whenever they are worked out. It holds
    for this thread alone.

    Args:
        texts: by the name that configurations have for the file.
    """
    token = _texts.set({**_texts.get({}), **texts})
    try:
        yield
    finally:
        _texts.reset(token)


def user_text(name: str, knob: str) -> str:
    """What a user's own file says: as :func:`user_files` has it, else as it lies on disk.

    Raises:
        InputError: it cannot be read.
    """
    known = _texts.get({}).get(name)
    return file_text(Path(name), knob) if known is None else known


def file_text(path: Path, knob: str) -> str:
    """What a file on disk says.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(knob, f"cannot read {path}: {reason}", "give a readable YAML file") from None


def parse(text: str, source: str) -> dict[str, Any]:
    """The mapping that a YAML document holds.

    Raises:
        InputError: no YAML, or no mapping.
    """
    document = parse_yaml(text, Place(source))
    if not isinstance(document, dict):
        raise InputError(source, "is no mapping", "names and values are expected, one `name: value` a line")
    return document


def validate(model: type[ModelT], document: dict[str, Any], source: str) -> ModelT:
    """Build ``model`` from a document.

    Raises:
        InputError: with the path inside the document, the value and what would be right.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise model_error(error, model, source) from None
