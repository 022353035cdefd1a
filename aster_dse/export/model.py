"""What an exported document says of the cost model, the libraries and the presets that its figures are of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from aster_dse.hardware.documents import user_files
from aster_dse.hardware.sources import COST_MODEL_VERSION, ModelRecord, digest_of

__all__ = ["Model", "ModelSource"]


class ModelSource(BaseModel):
    """A library or a preset; the last two entries are there for a user's own file alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    """20 hexadecimal digits of a SHA-256 over what it resolves to."""
    sha256: str | None = None
    """Of the text."""
    text: str | None = None

    @model_serializer(mode="wrap")
    def _stated(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class Model(BaseModel):
    """What costs were computed with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cost_model: int
    """Version of the cost model."""
    numerics: int
    """Version of the numerics of real arrays."""
    presets: dict[str, ModelSource]
    libraries: dict[str, ModelSource]

    @classmethod
    def of(cls, record: ModelRecord) -> Model:
        """What a study recorded."""
        found: dict[str, dict[str, ModelSource]] = {"preset": {}, "library": {}}
        for source in record.sources:
            found[source.kind][source.name] = ModelSource(
                digest=source.digest, sha256=source.sha256, text=source.text
            )
        return cls(
            cost_model=record.cost_model,
            numerics=record.numerics,
            presets=found["preset"],
            libraries=found["library"],
        )

    @property
    def texts(self) -> dict[str, str]:
        """Text of each user file by its name."""
        sources = {**self.presets, **self.libraries}
        return {name: source.text for name, source in sources.items() if source.text is not None}

    def changes(self) -> list[str]:
        """How this version computes costs otherwise, a line each; user files are those of the document.

        Raises:
            InputError: it does not know a preset or library, or cannot read the text of one.
        """
        lines = []
        if self.cost_model != COST_MODEL_VERSION:
            lines.append(f"cost model: version {self.cost_model} -> {COST_MODEL_VERSION}")
        with user_files(self.texts):
            for name, source in self.presets.items():
                lines += _change("preset", name, source.digest, digest_of("preset", name))
            for name, source in self.libraries.items():
                lines += _change("library", name, source.digest, digest_of("library", name))
        return lines


def _change(kind: str, name: str, before: str, after: str) -> list[str]:
    return [] if before == after else [f"{kind} {name}: digest {before} -> {after}"]
