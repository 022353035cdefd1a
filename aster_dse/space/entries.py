"""The entries of a space file that are no groups of knobs: what each may hold, read and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from aster_dse.errors import Problems
from aster_dse.space.constraint import Constraint, check_together, parse_constraint
from aster_dse.space.document import Place, kind_of, nearest_name, show
from aster_dse.space.knobs import SearchSettings, TrainingResources, knobs, model_knobs
from aster_dse.space.metrics import METRICS

__all__ = ["READERS"]

_RESOURCES = "resources_per_training"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _name(value: object, place: Place) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise place.error(f"{show(value)} is not a name", "letters, digits, dots, dashes and underscores")
    return value


def _description(value: object, place: Place) -> str:
    if not isinstance(value, str):
        raise place.error(f"{show(value)} is {kind_of(value)}, not text", "put it in quotes")
    return " ".join(value.split())


def _objectives(value: object, place: Place) -> dict[str, str]:
    example = "write it like {accuracy: max, energy_uj: min}"
    if not isinstance(value, Mapping):
        raise place.error(f"{show(value)} is {kind_of(value)}, not a mapping", example)
    if not value:
        raise place.error("empty", example)
    problems = Problems()
    for name, direction in value.items():
        with problems.noted():
            if name not in METRICS:
                raise place.at(name).error("unknown objective", f"{nearest_name(name, METRICS)}")
            if direction != METRICS[name].direction:
                raise place.at(name).error(
                    f"{show(direction)} is not its direction", f"write {METRICS[name].direction}"
                )
    problems.refuse()
    return {name: value[name] for name in METRICS if name in value}


def _constraints(value: object, place: Place) -> tuple[Constraint, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise place.error(
            f"{show(value)} is {kind_of(value)}, not a list", 'write it like ["area_mm2 <= 50"]'
        )
    problems = Problems()
    constraints: list[Constraint] = []
    for index, text in enumerate(value):
        with problems.noted():
            constraints.append(parse_constraint(text, place.at(index)))
    problems.refuse()
    check_together(tuple(constraints), place)
    return tuple(constraints)


def _search(value: object, place: Place) -> SearchSettings:
    inside = {_RESOURCES: _resources, "start": _start}
    settings = _settings(SearchSettings, value, place, "{trials: 16}", inside)
    return SearchSettings(**settings)


def _start(value: object, place: Place) -> tuple[dict[str, Any], ...]:
    example = "write it like [{network.depth: 2}]"
    if not isinstance(value, list | tuple):
        raise place.error(f"{show(value)} is {kind_of(value)}, not a list", example)
    networks = []
    for index, entry in enumerate(value):
        here = place.at(str(index))
        if not isinstance(entry, Mapping) or not entry:
            raise here.error(f"{show(entry)} is {kind_of(entry)}, not a mapping of knobs", example)
        for path in entry:
            if path not in knobs():
                raise here.at(str(path)).error("unknown knob", nearest_name(str(path), knobs()))
        networks.append({path: knobs()[path].check(item, here.at(path)) for path, item in entry.items()})
    return tuple(networks)


def _resources(value: object, place: Place) -> TrainingResources:
    resources = TrainingResources(**_settings(TrainingResources, value, place, "{workers: 2}"))
    if resources.workers > 1 and (resources.gpus or 0.0) % 1.0:
        raise place.at("gpus").error(
            f"{show(resources.gpus)} is a part of a GPU, which workers of one training cannot share",
            "whole GPUs, or workers: 1",
        )
    return resources


def _settings(
    model: type[BaseModel],
    value: object,
    place: Place,
    example: str,
    inside: Mapping[str, Callable[[object, Place], Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Checked entries of a mapping with the fields of ``model``; those that are mappings by their readers."""
    if not isinstance(value, Mapping | None):
        raise place.error(f"{show(value)} is {kind_of(value)}, not a mapping", f"write it like {example}")
    known = model_knobs(model, place.path)
    read: dict[str, Any] = {}
    problems = Problems()
    for name, item in (value or {}).items():
        with problems.noted():
            if name in inside:
                read[name] = inside[name](item, place.at(name))
            elif name in known:
                read[name] = known[name].check(item, place.at(name))
            else:
                raise place.at(name).error("unknown key", nearest_name(name, [*known, *inside]))
    problems.refuse()
    return read


READERS: Mapping[str, Callable[[object, Place], Any]] = {
    "name": _name,
    "description": _description,
    "objectives": _objectives,
    "constraints": _constraints,
    "search": _search,
}
"""By key: takes the value and its place, raises :class:`~aster_dse.errors.InputError`."""
