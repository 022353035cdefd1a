"""Knobs of single layers that are searched.

In a pattern of layers ``*`` stands for any name, and all of these layers have one value; ``each`` stands for
any name too, but then each has a value of its own: ``block.*.fc1`` searches one value for the first layers of
all MLPs, ``block.each.fc1`` one for each of them, ``block.each.*`` one for each block, and ``each`` one for
each layer of the network.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from aster_dse.space.layers import (
    LayerKnobs,
    layer_matches,
    parse_layers,
    written,
)
from aster_dse.space.parameter import Number, Parameter

__all__ = ["EACH", "LayerFamily", "LayerRanges", "LayerSlot"]

EACH = "each"
_LISTED = 1_000_000


@dataclass(frozen=True)
class LayerFamily:
    """Layers whose knobs are searched, and the values that these take."""

    pattern: str
    knobs: tuple[tuple[str, tuple[Any, ...]], ...]
    """Name and values; a knob of one value is fixed."""

    @cached_property
    def general(self) -> str:
        """The pattern that means all of the layers."""
        return re.sub(rf"\b{EACH}\b", "*", self.pattern)

    @cached_property
    def options(self) -> tuple[dict[str, Any], ...]:
        """What one of the layers can be; the knobs in the order in which a text has them."""
        names = [name for name, _ in self.knobs]
        rows = (dict(zip(names, row, strict=True)) for row in itertools.product(*dict(self.knobs).values()))
        return tuple({name: row[name] for name in LayerKnobs.model_fields if name in row} for row in rows)

    def own(self, layer: str) -> str:
        """The pattern of the layers that share their values with ``layer``."""
        if self.pattern in (EACH, "*"):
            return layer if self.pattern == EACH else self.pattern
        parts = zip(self.pattern.split("."), layer.split("."), strict=True)
        return ".".join(name if part == EACH else part for part, name in parts)

    def writes(self, pattern: str) -> bool:
        """Whether a text can say something of its layers by this pattern."""
        if pattern == self.general:
            return True
        parts, names = self.pattern.split("."), pattern.split(".")
        if self.pattern == EACH:
            return "*" not in names
        return len(parts) == len(names) and all(
            name != "*" if part == EACH else name == part for part, name in zip(parts, names, strict=True)
        )

    def as_dict(self) -> dict[str, Any]:
        """What a space file says of it."""
        return {name: {"choices": list(values)} for name, values in self.knobs}


@dataclass(frozen=True)
class LayerSlot:
    """Layers of a network that share their values."""

    pattern: str
    layers: tuple[int, ...]
    """Their places among the layers of the network."""
    family: int


@dataclass(frozen=True)
class LayerRanges(Parameter):
    """Knobs of single layers, as one searched knob whose value is the text of ``hardware.layers``.

    A vector has the number of an option for each slot. The text of a vector sets the most frequent option of
    a family for all of its layers and then the others, so that one text means one vector. The internal
    coordinate is the share of its options at which a slot stands, in the mean over all slots; a coordinate
    gives all slots the same share.
    """

    fixed: tuple[tuple[str, dict[str, Any]], ...]
    """Patterns with knobs that are not searched; they come first."""
    families: tuple[LayerFamily, ...]
    """No two mean the same layer."""
    layers: tuple[str, ...]
    """Layers of the network."""

    def on(self, layers: Sequence[str]) -> LayerRanges:
        """The same ranges on another network."""
        return replace(self, layers=tuple(layers))

    @property
    def fixed_knobs(self) -> tuple[tuple[str, LayerKnobs], ...]:
        """What is not searched, as an accelerator has it."""
        return tuple((pattern, LayerKnobs(**chosen)) for pattern, chosen in self.fixed)

    @cached_property
    def slots(self) -> tuple[LayerSlot, ...]:
        """In the order of families, then of layers."""
        found: list[LayerSlot] = []
        for number, family in enumerate(self.families):
            members: dict[str, list[int]] = {}
            for place, layer in enumerate(self.layers):
                if layer_matches(family.general, layer):
                    members.setdefault(family.own(layer), []).append(place)
            found += [LayerSlot(pattern, tuple(places), number) for pattern, places in members.items()]
        return tuple(found)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Options of each slot."""
        return tuple(len(self.families[slot.family].options) for slot in self.slots)

    def text(self, vector: Sequence[int]) -> str:
        """The value that gives each slot its option."""
        entries = list(self.fixed)
        for number, family in enumerate(self.families):
            own = [
                (slot.pattern, option)
                for slot, option in zip(self.slots, vector, strict=True)
                if slot.family == number
            ]
            if not own:
                continue
            tally = Counter(option for _, option in own)
            usual = min(tally, key=lambda option: (-tally[option], option))
            entries.append((family.general, family.options[usual]))
            entries += [(pattern, family.options[option]) for pattern, option in own if option != usual]
        return written(entries)

    def vector(self, text: str) -> tuple[int | None, ...]:
        """The option of each slot; None where the text says nothing of it.

        Raises:
            ValueError: the text is not of these ranges.
        """
        if text not in self._vectors:
            self._vectors[text] = self._vector(text)
        return self._vectors[text]

    @cached_property
    def _vectors(self) -> dict[str, tuple[int | None, ...]]:
        """Of texts that were read: searches ask for the same ones again and again."""
        return {}

    def _vector(self, text: str) -> tuple[int | None, ...]:
        entries = [(pattern, knobs.chosen()) for pattern, knobs in parse_layers(text)]
        if entries[: len(self.fixed)] != list(self.fixed):
            raise ValueError(f"{text!r} does not begin with what is fixed")
        found: list[int | None] = [None] * len(self.slots)
        for pattern, chosen in entries[len(self.fixed) :]:
            number = next(
                (n for n, f in enumerate(self.families) if f.writes(pattern) and chosen in f.options), None
            )
            if number is None:
                raise ValueError(f"{pattern} with {chosen} is not searched")
            family = self.families[number]
            for place, slot in enumerate(self.slots):
                if slot.family == number and pattern in (family.general, slot.pattern):
                    found[place] = family.options.index(chosen)
        return tuple(found)

    @property
    def internal_bounds(self) -> tuple[Number, Number]:
        return 0.0, 1.0

    @property
    def internal_step(self) -> Number | None:
        return None

    def internal(self, value: Any) -> Number:
        places = [
            (option + 0.5) / count
            for option, count in zip(self.vector(value), self.counts, strict=True)
            if option is not None
        ]
        return math.fsum(places) / len(places) if places else 0.5

    def external(self, internal: Number) -> str:
        return self.text([min(max(int(internal * count), 0), count - 1) for count in self.counts])

    def shares(self, value: str) -> dict[tuple[str, str], float]:
        """Where each searched knob stands among its values, from 0 to 1, in the mean over its layers.

        Returns:
            By the pattern and the name of the knob.
        """
        places: dict[tuple[str, str], list[float]] = {}
        for option, slot in zip(self.vector(value), self.slots, strict=True):
            family = self.families[slot.family]
            for name, values in family.knobs:
                if option is not None and len(values) > 1:
                    place = values.index(family.options[option][name]) / (len(values) - 1)
                    places.setdefault((family.pattern, name), []).append(place)
        return {key: math.fsum(found) / len(found) for key, found in places.items()}

    def values(self) -> tuple[Any, ...] | None:
        """All texts, or None where there are more than a million."""
        if self.cardinality > _LISTED:
            return None
        return tuple(self.text(vector) for vector in itertools.product(*map(range, self.counts)))

    @property
    def cardinality(self) -> int:
        return math.prod(self.counts)

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, str):
            return False
        try:
            self.vector(value)
        except ValueError:
            return False
        return True

    def covers(self, other: LayerRanges) -> bool:
        """Whether every vector of ``other`` is one of these."""
        mine = {family.pattern: dict(family.knobs) for family in self.families}
        return (self.fixed, set(mine)) == (
            other.fixed,
            {family.pattern for family in other.families},
        ) and all(
            mine[family.pattern].keys() == dict(family.knobs).keys()
            and set(values) <= set(mine[family.pattern][name])
            for family in other.families
            for name, values in family.knobs
        )

    def as_dict(self) -> dict[str, Any]:
        return {pattern: dict(chosen) for pattern, chosen in self.fixed} | {
            family.pattern: family.as_dict() for family in self.families
        }
