"""The accelerators that compute like one that was run: everything else about them is free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aster_dse.evaluation.array_classes import NUMERICS_KNOBS
from aster_dse.space import LayerRanges, Parameter
from aster_dse.space.layer_ranges import LayerFamily

__all__ = ["ClassSpace"]


@dataclass(frozen=True)
class ClassSpace:
    """What is left to search in a class of arrays."""

    fixed: Mapping[str, Any]
    """Searched knobs by path that the class has values of."""
    parameters: tuple[Parameter, ...]
    """The others; knobs of layers are searched as far as they do not change what arrays compute."""
    ranges: LayerRanges | None = None
    """The knobs of layers as the whole space has them, where they are searched for less here."""
    inside: LayerRanges | None = None
    """The same, as they are searched here: a family for each slot."""

    @classmethod
    def around(
        cls, parameters: Sequence[Parameter], design: Mapping[str, Any], layers: Sequence[str]
    ) -> ClassSpace:
        """The space around one accelerator of the class.

        Args:
            parameters: of the whole space.
            design: its searched knobs by path.
            layers: of the network.
        """
        fixed: dict[str, Any] = {}
        free: list[Parameter] = []
        ranges: LayerRanges | None = None
        inside: LayerRanges | None = None
        for parameter in parameters:
            if isinstance(parameter, LayerRanges) and _changes_arrays(parameter):
                ranges = parameter.on(layers)
                inside = _around(ranges, design[parameter.path])
                if inside is None:
                    fixed[parameter.path] = design[parameter.path]
                else:
                    free.append(inside)
            elif parameter.group == "hardware" and parameter.name in NUMERICS_KNOBS:
                fixed[parameter.path] = design[parameter.path]
            else:
                free.append(parameter)
        return cls(fixed, tuple(free), None if inside is None else ranges, inside)

    def designs(self, points: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Accelerators of the whole space as this space has them, those that lie in it."""
        for point in points:
            if self.ranges is None or self.inside is None:
                yield dict(point)
                continue
            if point[self.ranges.path] not in self.ranges:
                continue
            options = _options(self.ranges, point[self.ranges.path])
            vector = [
                family.options.index(option) if option in family.options else None
                for family, option in zip(self.inside.families, options, strict=True)
            ]
            if None not in vector:
                known = [number for number in vector if number is not None]
                yield {**point, self.inside.path: self.inside.text(known)}

    def outside(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """A point of this space as the whole space has it."""
        found = {**self.fixed, **point}
        # Knobs of layers whose condition is false have a text of their own.
        if self.ranges is not None and self.inside is not None and point[self.inside.path] in self.inside:
            options = _options(self.inside, point[self.inside.path])
            families = [self.ranges.families[slot.family] for slot in self.ranges.slots]
            found[self.ranges.path] = self.ranges.text(
                [family.options.index(option) for family, option in zip(families, options, strict=True)]
            )
        return found


def _changes_arrays(ranges: LayerRanges) -> bool:
    return any(name in NUMERICS_KNOBS for family in ranges.families for name, _ in family.knobs)


def _around(ranges: LayerRanges, text: Any) -> LayerRanges | None:
    """A family for each slot, of the options that compute alike; None where the text is not of the ranges."""
    if text not in ranges:
        return None
    families = []
    for slot, option in zip(ranges.slots, _options(ranges, text), strict=True):
        if option is None:
            return None
        knobs = tuple(
            (name, (option[name],) if name in NUMERICS_KNOBS else values)
            for name, values in ranges.families[slot.family].knobs
        )
        families.append(LayerFamily(slot.pattern, knobs))
    return LayerRanges(ranges.path, ranges.when, ranges.fixed, tuple(families), ranges.layers)


def _options(ranges: LayerRanges, text: str) -> list[dict[str, Any] | None]:
    """What the layers of each slot are."""
    return [
        None if option is None else ranges.families[slot.family].options[option]
        for slot, option in zip(ranges.slots, ranges.vector(text), strict=True)
    ]
