"""Reads choices and ranges, each checked against the knob that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aster_dse.space.condition import Condition, parse_condition
from aster_dse.space.document import Place, kind_of, nearest_name, show
from aster_dse.space.knobs import GROUPS, TRAINED_GROUPS, Knob
from aster_dse.space.parameter import SCALES, Choice, Range

__all__ = ["is_range", "read_parameter"]

_RANGE_KEYS = ("low", "high", "step", "log", "scale", "when")
_CHOICE_KEYS = ("choices", "when")


def is_range(entry: object) -> bool:
    """Whether an entry of a space file is written like a range or a list of choices."""
    return isinstance(entry, Mapping) and not {*_RANGE_KEYS, *_CHOICE_KEYS}.isdisjoint(entry)


def read_parameter(knob: Knob, entry: Mapping[str, Any], place: Place) -> Choice | Range:
    """The searched knob that an entry of a space file describes.

    Raises:
        InputError: the first problem of the entry.
    """
    if "choices" in entry:
        return _choice(knob, entry, place)
    return _range(knob, entry, place)


def _when(knob: Knob, entry: Mapping[str, Any], place: Place) -> Condition | None:
    if "when" not in entry:
        return None
    place = place.at("when")
    if knob.required:
        raise place.error(f"{knob.path} has no default to fall back to", "leave 'when' out")
    group, _, _ = knob.path.partition(".")
    condition = parse_condition(entry["when"], group, place)
    if knob.path in condition.paths:
        raise place.error("a condition on itself", "name another knob")
    if group in TRAINED_GROUPS:
        for path in condition.paths:
            if path.partition(".")[0] not in TRAINED_GROUPS:
                raise place.error(
                    f"{knob.path} is settled before {path}, which needs no training",
                    f"use knobs of {', '.join(name for name in GROUPS if name in TRAINED_GROUPS)}",
                )
    return condition


def _choice(knob: Knob, entry: Mapping[str, Any], place: Place) -> Choice:
    for key in entry:
        if key not in _CHOICE_KEYS:
            problem = "choices and a range at once" if key in _RANGE_KEYS else "unknown key"
            raise place.at(key).error(problem, "beside choices only 'when' is known")
    place_choices = place.at("choices")
    choices = entry["choices"]
    if not isinstance(choices, list | tuple):
        raise place_choices.error(f"{show(choices)} is not a list", "write choices: [first, second]")
    if not choices:
        raise place_choices.error("empty", "list the values to choose from")
    kinds = dict.fromkeys(_kind(value) for value in choices if value is not None)
    if len(kinds) > 1:
        raise place_choices.error(f"{show(choices)} mixes {' and '.join(kinds)}", "use one type")
    checked: list[Any] = []
    for index, value in enumerate(choices):
        if isinstance(value, dict):
            raise place_choices.at(index).error("a mapping is not a value", "a choice cannot be a range")
        value = knob.check(value, place_choices.at(index))
        if value in checked:
            raise place_choices.at(index).error(f"{show(value)} is listed twice", "drop one")
        checked.append(value)
    return Choice(knob.path, _when(knob, entry, place), tuple(checked))


def _kind(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (
        "numbers"
        if number
        else {"text": "text", "a truth value": "truth values"}.get(kind_of(value), "others")
    )


def _range(knob: Knob, entry: Mapping[str, Any], place: Place) -> Range:
    for key in entry:
        if key not in _RANGE_KEYS:
            raise place.at(key).error("unknown key", nearest_name(key, ("choices", *_RANGE_KEYS)))
    if knob.allowed or knob.kind not in ("integer", "number"):
        values = knob.domain() if knob.allowed or knob.kind == "boolean" else "..."
        raise place.error("a range, but the knob takes only listed values", f"write {{choices: [{values}]}}")
    for key in ("low", "high"):
        if key not in entry:
            raise place.error(f"{key} is missing", "a range has low and high")
    bounds = {}
    for key in entry:
        if key in ("low", "high"):
            if entry[key] is None:
                raise place.at(key).error("empty", "write a number")
            bounds[key] = knob.check(entry[key], place.at(key))
    low, high = bounds["low"], bounds["high"]
    if low > high:
        raise place.error(f"low {show(low)} is greater than high {show(high)}", "swap them")
    if low == high:
        name = knob.path.partition(".")[2]
        raise place.error(f"low and high are both {show(low)}", f"to fix it, write {name}: {show(low)}")
    scale = _scale(knob, entry, place, low)
    step = _step(knob, entry, place, low, high, scale)
    return Range(knob.path, _when(knob, entry, place), low, high, step, scale, knob.kind == "integer")


def _scale(knob: Knob, entry: Mapping[str, Any], place: Place, low: float) -> str:
    log = entry.get("log", False)
    if not isinstance(log, bool):
        raise place.at("log").error(f"{show(log)} is {kind_of(log)}", "write true or false")
    scale = entry.get("scale", "log" if log else "linear")
    if not isinstance(scale, str) or scale not in SCALES:
        raise place.at("scale").error(f"unknown scale {show(scale)}", nearest_name(scale, SCALES))
    if "log" in entry and log != (scale == "log"):
        raise place.at("scale").error(f"scale {scale} and log {show(log)} contradict", "drop one of them")
    if scale == "log" and low <= 0:
        raise place.at("low").error(f"{show(low)} has no logarithm", "on a log scale low is greater than 0")
    if scale == "neglog10" and not _below_one(knob):
        raise place.at("scale").error(
            f"-log10(1 - x) is for shares; {knob.path} takes {knob.domain()}", "use linear or log"
        )
    if scale == "neglog10" and entry["high"] >= 1:
        raise place.at("high").error(
            f"{show(entry['high'])} lies at infinity on a neglog10 scale", "end below 1, as in 0.9999999"
        )
    if scale == "log" and knob.multiple_of > 1:
        raise place.error(
            f"a log range, but only multiples of {knob.multiple_of} are values", "write choices"
        )
    return scale


def _below_one(knob: Knob) -> bool:
    bound = knob.schema.get("maximum", knob.schema.get("exclusiveMaximum", 2))
    return knob.kind == "number" and float(bound) <= 1.0


def _step(
    knob: Knob, entry: Mapping[str, Any], place: Place, low: float, high: float, scale: str
) -> int | float | None:
    integer = knob.kind == "integer"
    if "step" not in entry:
        return knob.multiple_of if integer else None
    place, step = place.at("step"), entry["step"]
    if scale != "linear":
        raise place.error(f"a step on a {scale} scale", "drop one of them")
    if isinstance(step, bool) or not isinstance(step, int | float):
        raise place.error(
            f"{show(step)} is {kind_of(step)}, not a number", "write the distance of neighbours"
        )
    if integer and not isinstance(step, int):
        raise place.error(f"{show(step)} is a decimal number", "the knob takes integers")
    if not 0 < step <= high - low:
        raise place.error(
            f"{show(step)} is not a step from {show(low)} to {show(high)}", "0 < step <= high - low"
        )
    if integer and step % knob.multiple_of:
        raise place.error(
            f"{show(step)} is not a multiple of {knob.multiple_of}", "the knob takes only those"
        )
    count = (high - low) / step
    if abs(count - round(count)) > 1e-9 * max(1.0, count):
        last = low + int(count) * step
        last = last if integer else float(f"{last:.12g}")
        raise place.error(
            f"steps of {show(step)} from {show(low)} miss high {show(high)}", f"high: {show(last)}?"
        )
    return step if integer else float(step)
