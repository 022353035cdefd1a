"""Reads the groups of a space: what is fixed, what is searched, each checked against the knob it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aster_dse.errors import Problems
from aster_dse.space.document import Place, kind_of, nearest_name, show
from aster_dse.space.knobs import CONDITIONS, FIXED_ONLY, LAYERS, Knob, knobs
from aster_dse.space.layer_entries import is_searched, read_layer_ranges
from aster_dse.space.parameter import Parameter
from aster_dse.space.ranges import is_range, read_parameter

__all__ = ["in_dependency_order", "read_group"]


def read_group(group: str, entries: object, place: Place) -> tuple[dict[str, Any], dict[str, Parameter]]:
    """The fixed values and the searched knobs that one group of a space file gives, by path.

    Raises:
        InputError: all that is wrong, in the order of the file.
    """
    known = {
        knob.path.partition(".")[2]: knob for knob in knobs().values() if knob.path.startswith(f"{group}.")
    }
    if not isinstance(entries, Mapping | None):
        raise place.error(f"{show(entries)} is {kind_of(entries)}, not a mapping", "write knob: value lines")
    fixed: dict[str, Any] = {}
    searched: dict[str, Parameter] = {}
    problems = Problems()
    for name, entry in (entries or {}).items():
        with problems.noted():
            if name not in known:
                elsewhere = [path for path in knobs() if path.partition(".")[2] == name]
                remedy = f"did you mean {' or '.join(elsewhere)}?" if elsewhere else nearest_name(name, known)
                raise place.at(name).error("unknown knob", remedy)
            found = _read_entry(known[name], entry, place.at(name))
            if isinstance(found, Parameter):
                searched[found.path] = found
            else:
                fixed[known[name].path] = found
    for name, knob in known.items():
        with problems.noted():
            if knob.required and name not in (entries or {}):
                raise place.error(f"{name} is missing", f"add {name}: ...")
    problems.refuse()
    return fixed, searched


def _read_entry(knob: Knob, entry: object, place: Place) -> Any:
    """The value that an entry fixes, or the knob that it searches."""
    if knob.path == LAYERS and isinstance(entry, Mapping) and is_searched(entry):
        return read_layer_ranges(entry, place)
    if is_range(entry) and knob.path in FIXED_ONLY:
        raise place.error(
            "cannot be searched: it says how the study judges its configurations", "give it one value"
        )
    if isinstance(entry, Mapping) and (
        knob.path not in (LAYERS, CONDITIONS) or (knob.path == LAYERS and "choices" in entry)
    ):
        return read_parameter(knob, entry, place)
    return knob.check(entry, place)


def in_dependency_order(parameters: Mapping[str, Parameter], top: Place) -> tuple[Parameter, ...]:
    """Each after those that its condition reads, else in the order of the configuration.

    Raises:
        InputError: conditions that wait for each other.
    """
    ordered: dict[str, Parameter] = {}
    waiting = {path: parameters[path] for path in knobs() if path in parameters}
    while waiting:
        for path, parameter in waiting.items():
            needs = parameter.when.paths if parameter.when else ()
            if all(need in ordered or need not in parameters for need in needs):
                ordered[path] = waiting.pop(path)
                break
        else:
            cycle = _cycle(waiting)
            raise (
                top.at(cycle[0])
                .at("when")
                .error(f"conditions in a circle: {' -> '.join([*cycle, cycle[0]])}", "free one of them")
            )
    return tuple(ordered.values())


def _cycle(waiting: dict[str, Parameter]) -> list[str]:
    path = next(iter(waiting))
    trail: list[str] = []
    while path not in trail:
        trail.append(path)
        condition = waiting[path].when
        path = next(need for need in (condition.paths if condition else ()) if need in waiting)
    return trail[trail.index(path) :]
