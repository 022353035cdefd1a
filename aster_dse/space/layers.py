"""Knobs of single layers: a short text that says which layers differ from the chip, and in what.

``stem.*: adc_levels=64; block.*.fc1: compute=digital`` reads as it stands. Later entries win over earlier
ones. The same may be written as a mapping from patterns to mappings of knobs, or to ``adc_levels=64``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from aster_dse.space.hardware_knobs import (
    AdcKind,
    AdcLevels,
    AdcRange,
    AdcRangePer,
    CellBits,
    ColumnKind,
    ColumnMux,
    Columns,
    Compute,
    Rows,
    WeightBits,
)
from aster_dse.space.model_words import model_problem

__all__ = [
    "PATTERNS",
    "LayerKnobs",
    "canonical_layers",
    "is_pattern",
    "layer_matches",
    "layer_names",
    "layers_text",
    "parse_layers",
    "written",
]

PATTERNS = "head, stem.0 to stem.3, stem.position, block.N.q, k, v, proj, fc1, fc2, with * for any"
_STEM = ("0", "1", "2", "3", "position")
_BLOCK = ("q", "k", "v", "proj", "fc1", "fc2")
_PATTERN = re.compile(rf"\*|head|stem\.(\*|{'|'.join(_STEM)})|block\.(\*|\d+)\.(\*|{'|'.join(_BLOCK)})")


class LayerKnobs(BaseModel):
    """What may differ from layer to layer: the array and its read-out. None keeps the chip's value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: Rows | None = None
    columns: Columns | None = None
    cell_bits: CellBits | None = None
    weight_bits: WeightBits | None = None
    adc_kind: AdcKind | None = None
    adc_levels: AdcLevels | None = None
    adc_range: AdcRange | None = None
    adc_range_per: AdcRangePer | None = None
    column_kind: ColumnKind | None = None
    column_mux: ColumnMux | None = None
    compute: Compute | None = None

    def chosen(self) -> dict[str, Any]:
        """The knobs that are set."""
        return dict(self._chosen)

    @cached_property
    def _chosen(self) -> dict[str, Any]:
        return {name: value for name, value in self if value is not None}


def layer_names(blocks: Iterable[int]) -> tuple[str, ...]:
    """The layers with weights of a network with these blocks, in the order of execution."""
    stem = [f"stem.{stage}" for stage in _STEM]
    return (*stem, *(f"block.{block}.{part}" for block in blocks for part in _BLOCK), "head")


def is_pattern(text: str) -> bool:
    """Whether a text can mean layers."""
    return _PATTERN.fullmatch(text) is not None


def parse_layers(text: str) -> tuple[tuple[str, LayerKnobs], ...]:
    """Patterns of layer names with what is set there, in order.

    Raises:
        ValueError: two arguments, what is wrong and what would be right.
    """
    return tuple(_parse(entry) for entry in filter(None, (part.strip() for part in text.split(";"))))


@lru_cache(maxsize=1 << 14)
def _parse(entry: str) -> tuple[str, LayerKnobs]:
    pattern, colon, settings = (part.strip() for part in entry.partition(":"))
    if not colon or not settings:
        raise ValueError(f"{entry!r} sets nothing of any layer", "write it like `stem.*: adc_levels=64`")
    chosen: dict[str, str] = {}
    for word in settings.split():
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise ValueError(f"{pattern}: {word!r} sets nothing", "write it like adc_levels=64")
        chosen[name] = value
    return _checked(pattern), _knobs(pattern, chosen)


def layers_text(content: Mapping[str, Any]) -> str:
    """The text of a mapping from patterns to mappings of knobs.

    Raises:
        ValueError: two arguments, what is wrong and what would be right.
    """
    parts = []
    for pattern, chosen in content.items():
        if isinstance(chosen, str) and ";" not in chosen:
            parts += [(name, knobs.chosen()) for name, knobs in parse_layers(f"{pattern}: {chosen}")]
            continue
        if not isinstance(chosen, Mapping):
            raise ValueError(
                f"{pattern}: {chosen!r} is no mapping", "write it like {adc_levels: 64} or adc_levels=64"
            )
        knobs = _knobs(_checked(str(pattern)), dict(chosen))
        parts.append((str(pattern), knobs.chosen()))
    return written(parts)


def written(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Entries as one text, each a pattern with the knobs that it sets."""
    return "; ".join(
        f"{pattern}: " + " ".join(f"{name}={value}" for name, value in chosen.items())
        for pattern, chosen in entries
    )


def canonical_layers(text: str) -> str:
    """The same settings in one spelling.

    Raises:
        ValueError: two arguments, what is wrong and what would be right.
    """
    return written((pattern, knobs.chosen()) for pattern, knobs in parse_layers(text))


@lru_cache(maxsize=1 << 16)
def layer_matches(pattern: str, layer: str) -> bool:
    """Whether a pattern means a layer."""
    return (
        re.fullmatch(".*" if pattern == "*" else re.escape(pattern).replace(r"\*", "[^.]+"), layer)
        is not None
    )


def _checked(pattern: str) -> str:
    if not is_pattern(pattern):
        raise ValueError(f"{pattern!r} means no layer", PATTERNS)
    return pattern


def _knobs(pattern: str, chosen: dict[str, Any]) -> LayerKnobs:
    for name, value in chosen.items():
        if name not in LayerKnobs.model_fields:
            known = ", ".join(LayerKnobs.model_fields)
            raise ValueError(f"{pattern}: {name!r} is no knob of a single layer", f"one of {known}")
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
            chosen[name] = int(value)
    if not chosen:
        raise ValueError(f"{pattern}: nothing is set", "write it like adc_levels=64")
    try:
        return LayerKnobs(**chosen)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem, remedy = model_problem(first)
        raise ValueError(f"{pattern}: {first['loc'][0]}: {problem}", remedy) from None
