"""Reads what a space file says of single layers, where it searches some of their knobs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aster_dse.space.document import Place, kind_of, nearest_name, show
from aster_dse.space.knobs import LAYERS, model_knobs
from aster_dse.space.layer_ranges import EACH, LayerFamily, LayerRanges
from aster_dse.space.layers import (
    PATTERNS,
    LayerKnobs,
    is_pattern,
    layer_matches,
    layer_names,
    layers_text,
    parse_layers,
)
from aster_dse.space.ranges import read_parameter

__all__ = ["is_searched", "read_layer_ranges"]

_OPTIONS = 256
"""Values of one layer at most, all knobs together."""


def is_searched(entry: object) -> bool:
    """Whether what a file says of ``hardware.layers`` searches knobs of layers."""
    return (
        isinstance(entry, Mapping)
        and "choices" not in entry
        and any(
            isinstance(value, Mapping)
            for chosen in entry.values()
            if isinstance(chosen, Mapping)
            for value in chosen.values()
        )
    )


def read_layer_ranges(entry: Mapping[str, Any], place: Place) -> LayerRanges:
    """The knobs of layers that a file fixes and searches, on the deepest network there is.

    Raises:
        InputError: the first problem, in the order of the file.
    """
    families: list[LayerFamily] = []
    fixed: list[tuple[str, dict[str, Any]]] = []
    for pattern, chosen in entry.items():
        here = place.at(pattern)
        if not is_pattern(re.sub(rf"\b{EACH}\b", "*", pattern)):
            raise here.error("means no layer", f"{PATTERNS}, and each for any by itself")
        if isinstance(chosen, str) and EACH not in pattern.split("."):
            fixed += _fixed(pattern, chosen, here)
            continue
        if not isinstance(chosen, Mapping) or not chosen:
            raise here.error(f"{show(chosen)} is {kind_of(chosen)}, not knobs", "write {adc_levels: 64}")
        if any(isinstance(value, Mapping) for value in chosen.values()):
            families.append(_family(pattern, chosen, here))
        elif EACH in pattern.split("."):
            raise here.error("nothing is searched", f"write {pattern.replace(EACH, '*')}")
        else:
            ((_, knobs),) = _fixed(pattern, chosen, here)
            fixed.append((pattern, knobs))
    _check_apart(families, fixed, place)
    return LayerRanges(LAYERS, None, tuple(fixed), tuple(families), layer_names(range(24)))


def _fixed(pattern: str, chosen: Mapping[str, Any] | str, place: Place) -> list[tuple[str, dict[str, Any]]]:
    try:
        text = layers_text({pattern: chosen})
    except ValueError as error:
        raise place.error(*error.args) from None
    return [(name, knobs.chosen()) for name, knobs in parse_layers(text)]


def _family(pattern: str, chosen: Mapping[str, Any], place: Place) -> LayerFamily:
    known = {knob.path.rpartition(".")[2]: knob for knob in model_knobs(LayerKnobs, LAYERS).values()}
    found = []
    for name, entry in chosen.items():
        here = place.at(name)
        if name not in known:
            raise here.error("no knob of a single layer", nearest_name(name, known))
        if not isinstance(entry, Mapping):
            entry = {"choices": [entry]}
        elif "when" in entry:
            raise here.at("when").error("knobs of single layers know no condition", "leave it out")
        values = read_parameter(known[name], entry, here).values() or ()
        if None in values:
            raise here.error("null is no value of a single layer", "name the value of the chip instead")
        found.append((name, tuple(values)))
    family = LayerFamily(pattern, tuple(found))
    if (count := math.prod(len(values) for _, values in found)) > _OPTIONS:
        raise place.error(f"{count} values for a layer", f"at most {_OPTIONS}, all knobs together")
    return family


def _check_apart(
    families: Sequence[LayerFamily], fixed: Sequence[tuple[str, dict[str, Any]]], place: Place
) -> None:
    blocks = {int(word) for family in families for word in family.pattern.split(".") if word.isdecimal()}
    layers = layer_names({*range(2), *blocks})
    for second, family in enumerate(families):
        mine = set(_of(family.general, layers))
        for other in families[:second]:
            if both := mine & set(_of(other.general, layers)):
                raise place.at(family.pattern).error(
                    f"{min(both)} is searched by {other.pattern} too", "let each layer have one of them"
                )
        for pattern, chosen in fixed:
            names = set(chosen) & {name for name, _ in family.knobs}
            if names and (both := mine & set(_of(pattern, layers))):
                raise (
                    place.at(pattern)
                    .at(min(names))
                    .error(
                        f"fixed for {min(both)}, which {family.pattern} searches",
                        "let each layer have one of them",
                    )
                )


def _of(pattern: str, layers: Sequence[str]) -> Iterator[str]:
    return (layer for layer in layers if layer_matches(pattern, layer))
