"""What the figures of a study are computed with: the cost model, and the files that it reads.

A study keeps this record, with the text of every user file, so that its figures can be worked out again when
a file has changed or is gone, and so that a change is seen before figures of two kinds meet in one front.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from aster_dse.errors import InputError
from aster_dse.hardware.documents import file_text, user_files
from aster_dse.hardware.library import load_library
from aster_dse.hardware.preset_files import load_preset
from aster_dse.hardware.source_changes import content_changes
from aster_dse.numerics.arrays import NUMERICS_VERSION
from aster_dse.space import SearchSpace
from aster_dse.space.file_knobs import is_user_file

__all__ = ["COST_MODEL_VERSION", "ModelRecord", "Source", "digest_of", "model_record"]

COST_MODEL_VERSION = 1
"""Raise it when the same activity on the same design, library and preset costs something else."""

_BASE, _LIBRARY = "hardware.base", "hardware.library"


@dataclass(frozen=True)
class Source:
    """A library or a preset as it was read."""

    kind: Literal["library", "preset"]
    name: str
    """As configurations have it: that of a shipped one, or the path of a user's file."""
    digest: str
    """20 hexadecimal digits of a SHA-256 over what it resolves to, tables that it names included."""
    content: Mapping[str, Any]
    """What it resolves to."""
    text: str | None = None
    """Of a user's file; None where it ships."""
    path: str | None = None
    """Where a user's file lay."""

    @property
    def sha256(self) -> str | None:
        """Of a user's file."""
        return None if self.text is None else hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class ModelRecord:
    """What figures were computed with."""

    cost_model: int
    """Version of the cost model."""
    numerics: int
    """Version of the numerics of real arrays."""
    sources: tuple[Source, ...]

    @property
    def texts(self) -> dict[str, str]:
        """Text of each user file by its name, for :func:`~aster_dse.hardware.documents.user_files`."""
        return {source.name: source.text for source in self.sources if source.text is not None}

    def merged(self, other: ModelRecord) -> ModelRecord:
        """With the sources that ``other`` has besides."""
        known = {(source.kind, source.name) for source in self.sources}
        added = tuple(source for source in other.sources if (source.kind, source.name) not in known)
        return ModelRecord(self.cost_model, self.numerics, self.sources + added)

    def now(self) -> ModelRecord:
        """The same sources as this version reads them, user files as they are recorded here.

        Raises:
            InputError: this version does not know one of them, or cannot read its text.
        """
        with user_files(self.texts):
            sources = tuple(
                _source(s.kind, s.name, _load(s.kind, s.name), self.texts, {}) for s in self.sources
            )
        return ModelRecord(COST_MODEL_VERSION, NUMERICS_VERSION, sources)

    def changes(self, now: ModelRecord, *, real_arrays: bool) -> list[str]:
        """What differs between this record and another one, a line for each figure.

        Args:
            now: the other; sources that only one of them has are no change.
            real_arrays: whether the numerics of real arrays matter.
        """
        lines = []
        if self.cost_model != now.cost_model:
            lines.append(f"cost model: version {self.cost_model} -> {now.cost_model}")
        if real_arrays and self.numerics != now.numerics:
            lines.append(f"numerics of real arrays: version {self.numerics} -> {now.numerics}")
        present = {(source.kind, source.name): source for source in now.sources}
        for source in self.sources:
            other = present.get((source.kind, source.name))
            if other is not None and other.digest != source.digest:
                found = content_changes(source.content, other.content) or ["the order of its entries"]
                lines += [f"{source.kind} {source.name}: {change}" for change in found]
        return lines

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; :meth:`from_dict` reads it back."""
        return {
            "cost_model": self.cost_model,
            "numerics": self.numerics,
            "sources": [asdict(source) for source in self.sources],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ModelRecord:
        """The record that :meth:`as_dict` wrote."""
        sources = tuple(Source(**entry) for entry in content["sources"])
        return cls(content["cost_model"], content["numerics"], sources)


def model_record(space: SearchSpace, *, known: ModelRecord | None = None) -> ModelRecord:
    """What the accelerators of a space are computed with at present.

    Relative paths of user files are relative to ``space.folder``.

    Args:
        known: says where user files lay, and stands in for those that are no longer there.

    Raises:
        InputError: a library or preset does not exist, cannot be read or does not validate.
    """
    texts, places = {}, {}
    for knob in (_BASE, _LIBRARY):
        for name in _names(space, knob):
            if is_user_file(name):
                texts[name], places[name] = _read(space, name, knob, known)
    with user_files(texts):
        presets = {name: load_preset(name) for name in _names(space, _BASE)}
        named = [str(preset.knobs.library) for preset in presets.values()]
        inside = dict.fromkeys(named if None in _values(space, _LIBRARY) else ())
        for name in inside:
            if is_user_file(name) and name not in texts:
                texts[name], places[name] = _read(space, name, f"{_BASE}: library", known)
    with user_files(texts):
        libraries = {name: load_library(name) for name in [*_names(space, _LIBRARY), *inside]}
    models: dict[tuple[Literal["library", "preset"], str], BaseModel] = {
        **{("preset", name): preset for name, preset in presets.items()},
        **{("library", name): library for name, library in libraries.items()},
    }
    return ModelRecord(
        COST_MODEL_VERSION,
        NUMERICS_VERSION,
        tuple(_source(kind, name, model, texts, places) for (kind, name), model in models.items()),
    )


def _source(
    kind: Literal["library", "preset"],
    name: str,
    model: BaseModel,
    texts: Mapping[str, str],
    places: Mapping[str, str],
) -> Source:
    return Source(
        kind,
        name,
        _digest(model),
        model.model_dump(mode="json", exclude_none=True),
        texts.get(name),
        places.get(name),
    )


def digest_of(kind: Literal["library", "preset"], name: str) -> str:
    """As :class:`Source` has it, of a library or preset as it is at present.

    Raises:
        InputError: there is none of this name, or it does not validate.
    """
    return _digest(_load(kind, name))


def _load(kind: Literal["library", "preset"], name: str) -> BaseModel:
    return load_preset(name) if kind == "preset" else load_library(name)


def _digest(model: BaseModel) -> str:
    # An optional entry that a later version knows, and that is not given, changes nothing.
    content = model.model_dump_json(exclude_none=True)
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _names(space: SearchSpace, knob: str) -> Iterator[str]:
    """What a knob of a space can name."""
    yield from (value for value in _values(space, knob) if value is not None)


def _values(space: SearchSpace, knob: str) -> tuple[str | None, ...]:
    """Every value that a knob can have in a space; None is the preset's."""
    searched = next((p for p in space.parameters if p.path == knob), None)
    values = () if searched is None else searched.values() or ()
    if searched is None or searched.when is not None:
        values = (space.fixed[knob], *values)
    return tuple(dict.fromkeys(values))


def _read(space: SearchSpace, name: str, knob: str, known: ModelRecord | None) -> tuple[str, str]:
    """Text and place of a user's file."""
    before = next((s for s in known.sources if s.name == name), None) if known is not None else None
    path = Path(before.path) if before is not None and before.path is not None else Path(space.folder) / name
    try:
        return file_text(path, knob), str(path.absolute())
    except InputError:
        if before is None or before.text is None or path.exists():
            raise
        return before.text, str(path)
