"""JSON Schema of the space file, so that editors complete and check it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter

from aster_dse.space.cell_conditions import CellConditions
from aster_dse.space.knobs import (
    CONDITIONS,
    FIXED_ONLY,
    GROUPS,
    LAYERS,
    Knob,
    SearchSettings,
    TrainingResources,
    knobs,
    model_knobs,
)
from aster_dse.space.layers import LayerKnobs
from aster_dse.space.metrics import METRICS
from aster_dse.space.parameter import SCALES

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a space file.

    It says what can be said without comparing values: that ``low`` is below ``high``, that steps fit and what
    conditions mean is checked by :func:`load_space` only.
    """
    groups: dict[str, Any] = {}
    for group in GROUPS:
        inside = {
            knob.path.partition(".")[2]: knob
            for knob in knobs().values()
            if knob.path.startswith(f"{group}.")
        }
        groups[group] = _mapping({name: _entry(knob) for name, knob in inside.items()})
        groups[group]["required"] = [name for name, knob in inside.items() if knob.required]
        if not groups[group]["required"]:
            groups[group]["type"] = ["object", "null"]
    metrics = "|".join(METRICS)
    number = r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
    constraint = rf"^\s*(({metrics})\s*(<=|>=)\s*{number}|{number}\s*(<=|>=)\s*({metrics}))\s*$"
    search = _settings(SearchSettings)
    search["properties"]["resources_per_training"] = _settings(TrainingResources)
    search["properties"]["start"] = {
        "type": "array",
        "items": {"type": "object", "propertyNames": {"enum": list(knobs())}, "minProperties": 1},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "aster-dse search space",
        **_mapping(
            {
                "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
                "description": {"type": "string"},
                **groups,
                "objectives": {
                    **_mapping({metric.name: {"const": metric.direction} for metric in METRICS.values()}),
                    "minProperties": 1,
                },
                "constraints": {
                    "type": ["array", "null"],
                    "items": {"type": "string", "pattern": constraint},
                    "uniqueItems": True,
                },
                "search": search,
            }
        ),
        "required": ["name", "workload", "objectives"],
    }


def _settings(model: type[BaseModel]) -> dict[str, Any]:
    fields = _mapping({name: _value(knob) for name, knob in model_knobs(model, "search").items()})
    return {**fields, "type": ["object", "null"]}


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _value(knob: Knob) -> dict[str, Any]:
    value = dict(knob.schema)
    return {"anyOf": [value, {"type": "null"}]} if knob.optional else value


def _entry(knob: Knob) -> dict[str, Any]:
    """A value, a list to choose from, or (for numbers) a range."""
    when = {} if knob.required else {"when": {"type": "string"}}
    forms: list[dict[str, Any]] = [_value(knob)]
    if knob.path not in FIXED_ONLY:
        forms += _ranges(knob, when)
    if knob.path == CONDITIONS:
        forms.append(TypeAdapter(CellConditions).json_schema() | {"minProperties": 1})
    if knob.path == LAYERS:
        single = {
            name: {"anyOf": [_value(inside), *_ranges(inside, {})]}
            for name, inside in model_knobs(LayerKnobs, LAYERS).items()
        }
        forms.append({"type": "object", "additionalProperties": _mapping(single)})
    entry: dict[str, Any] = {"anyOf": forms}
    if not knob.required:
        entry["default"] = knob.default
    return entry


def _ranges(knob: Knob, when: dict[str, Any]) -> list[dict[str, Any]]:
    """A list to choose from, and (for numbers) a range."""
    choices = {"type": "array", "items": _value(knob), "minItems": 1, "uniqueItems": True}
    forms: list[dict[str, Any]] = [{**_mapping({"choices": choices, **when}), "required": ["choices"]}]
    if knob.kind in ("integer", "number") and not knob.allowed:
        bound = dict(knob.schema)
        properties = {
            "low": bound,
            "high": bound,
            "step": {"type": knob.kind, "exclusiveMinimum": 0},
            "log": {"type": "boolean"},
            "scale": {"enum": list(SCALES)},
            **when,
        }
        forms.append({**_mapping(properties), "required": ["low", "high"]})
    return forms
