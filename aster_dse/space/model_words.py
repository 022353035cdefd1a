"""What a configuration model does not take, in the words of the messages about space files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from aster_dse.errors import InputError, all_of
from aster_dse.space.document import Place, kind_of, nearest_name, show

__all__ = ["model_error", "model_problem"]

_KINDS = {
    "int": "an integer",
    "float": "a number",
    "finite_number": "a finite number",
    "string": "text",
    "bool": "true or false",
    "dict": "a mapping",
    "model": "a mapping",
    "list": "a list",
    "tuple": "a list",
    "datetime": "a date and time",
    "timezone": "a date and time with its zone",
}
_BOUNDS = {"greater_than": ("gt", ">"), "greater_than_equal": ("ge", ">="), "less_than": ("lt", "<")} | {
    "less_than_equal": ("le", "<=")
}


def model_error(error: ValidationError, model: type[BaseModel], source: str, remedy: str = "") -> InputError:
    """All that a model found wrong with a document, each with its path.

    Args:
        error: as the model raised it.
        model: that raised it.
        source: what messages call the document.
        remedy: said where nothing better is known.
    """
    found = []
    entries = error.errors(include_url=False)
    inside = {entry["loc"][:depth] for entry in entries for depth in range(len(entry["loc"]))}
    for entry in entries:
        # A list counts as short where its entries are wrong, which is said of them.
        if entry["type"] == "too_short" and entry["loc"] in inside:
            continue
        path = [str(part) for part in entry["loc"] if part != "[key]"]
        problem, right = model_problem(entry, model)
        found.append(Place(source, ".".join(path)).error(problem, right or remedy))
    return all_of(found)


def model_problem(entry: Mapping[str, Any], model: type[BaseModel] | None = None) -> tuple[str, str]:
    """What is wrong, and what would be right, of one error of pydantic."""
    kind, value, context = entry["type"], entry["input"], entry.get("ctx", {})
    if kind == "missing":
        return "missing", ""
    if kind == "extra_forbidden":
        known = list(model.model_fields) if model is not None and len(entry["loc"]) == 1 else []
        return "unknown key", nearest_name(entry["loc"][-1], known) if known else "leave it out"
    if kind == "value_error":
        words = context["error"].args
        return str(words[0]), str(words[1]) if len(words) > 1 else ""
    if kind in _BOUNDS:
        name, sign = _BOUNDS[kind]
        return f"{show(value)} is out of range", f"{sign} {context[name]:g}"
    if kind == "multiple_of":
        return f"{show(value)} is not a multiple of {context['multiple_of']}", ""
    if kind in ("literal_error", "enum"):
        allowed = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        close = nearest_name(value, allowed)
        remedy = close if close.startswith("did you mean") else f"for example {allowed[0]}"
        return f"{show(value)} is not one of {', '.join(allowed)}", remedy
    if kind == "int_from_float":
        return f"{show(value)} is a decimal number, not an integer", ""
    if kind in ("too_short", "too_long"):
        fewer = kind == "too_short"
        count = context["min_length" if fewer else "max_length"]
        return f"has {context['actual_length']} entries", f"at {'least' if fewer else 'most'} {count}"
    if kind == "string_pattern_mismatch":
        return f"{show(value)} does not match {context['pattern']}", ""
    for name, words in _KINDS.items():
        if kind.startswith(name):
            return f"{show(value)} is {kind_of(value)}, not {words}", ""
    return f"{show(value)} is not allowed here", ""
