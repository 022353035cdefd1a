"""The vocabulary as data: every knob of :class:`Candidate` with its type, its bounds and its default.

All of it is read from the configuration models, so a knob added there is known here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from aster_dse.space.cell_conditions import conditions_text
from aster_dse.space.configuration import Candidate
from aster_dse.space.document import Place, kind_of, nearest_name, show
from aster_dse.space.hardware_knobs import HARDWARE_KNOBS
from aster_dse.space.layers import layers_text

__all__ = [
    "CONDITIONS",
    "FIXED_ONLY",
    "GROUPS",
    "LAYERS",
    "TRAINED_GROUPS",
    "Knob",
    "SearchSettings",
    "TrainingResources",
    "knobs",
    "model_knobs",
]

LAYERS = "hardware.layers"
"""The knob whose value a file may also write as a mapping of layers to their knobs."""
CONDITIONS = "hardware.conditions"
"""The knob whose value a file may also write as a mapping of figures."""
FIXED_ONLY = frozenset(
    {"workload.data", *(f"hardware.{name}" for name, knob in HARDWARE_KNOBS.items() if knob.fixed_only)}
)
"""Knobs that say how a study judges its configurations: a space fixes them."""
GROUPS: tuple[str, ...] = tuple(Candidate.model_fields)
TRAINED_GROUPS = frozenset({"workload", "network", "training"})
"""A change of a knob in these groups needs a training; the other groups are answered from the trace."""

_MAPPINGS = {LAYERS: layers_text, CONDITIONS: conditions_text}
_KINDS = {"integer": "an integer", "number": "a number", "string": "text", "boolean": "true or false"}


class TrainingResources(BaseModel):
    """What one training takes of the cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes that train a network together, each on its part of every batch (needs `ray[train]`)."""
    cpus: Annotated[int, Field(ge=1, le=1024)] = 1
    """CPUs that each of them reserves, and threads that it computes on."""
    gpus: Annotated[float, Field(ge=0.0, le=64.0)] | None = None
    """GPUs, or the part of one, that each of them reserves; `null` takes an even share of those of a machine
    where a search starts Ray by itself, and none on a cluster that it joins."""


class SearchSettings(BaseModel):
    """How the space is searched."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sampler: Literal["auto", "gp", "tpe", "nsga3", "sobol", "random"] = "auto"
    """What proposes networks; `auto` chooses by history."""
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 16
    """Networks to propose."""
    trainings: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Networks to train at most; those that are found trained do not count, failed ones do."""
    gpu_hours: Annotated[float, Field(gt=0.0)] | None = None
    """GPUs times hours of training after which no network is begun."""
    patience: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Networks in a row that leave the hypervolume within 0.1 % of what it was, after which none is begun."""
    early_stopping: Annotated[float, Field(ge=1.5, le=1000.0)] | None = None
    """Of the networks that are trained for `first_look`, the best are trained on, one in so many; so again
    each time their epochs have grown by this factor. `null` trains all of them to the end."""
    first_look: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15
    """Share of its epochs after which a training that can be stopped early is first looked at."""
    inner: Annotated[int, Field(ge=1, le=100_000_000)] = 200_000
    """Pairs of a policy and an accelerator scored on every trained network at most; all, where there are
    fewer."""
    passes: Annotated[int, Field(ge=1, le=100_000)] = 4
    """Classes of arrays, those that compute alike, that every network is run on at most where
    `hardware.arrays` is `real`; those that promise most go first."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the search; that of weights and data stands in their groups."""
    start: tuple[dict[str, Any], ...] = ()
    """Networks to begin with: values of searched knobs that need a training, by path."""
    resources_per_training: TrainingResources = TrainingResources()


@dataclass(frozen=True)
class Knob:
    """One field of the configuration: what values it takes."""

    path: str
    kind: str
    """JSON type of a value: ``integer``, ``number``, ``string`` or ``boolean``."""
    default: Any
    required: bool
    optional: bool
    """True where None (``null``) is a value."""
    schema: Mapping[str, Any] = field(compare=False)
    """JSON Schema of a value."""
    _adapter: TypeAdapter[Any] = field(repr=False, compare=False)

    @property
    def allowed(self) -> tuple[Any, ...]:
        """The values of a knob that takes only listed ones, else empty."""
        return tuple(self.schema.get("enum", ()))

    @property
    def multiple_of(self) -> int:
        return int(self.schema.get("multipleOf", 1))

    def domain(self) -> str:
        """Its values in words."""
        bounds = self.schema
        if self.allowed:
            return ", ".join(str(value) for value in self.allowed)
        if self.kind == "boolean":
            return "true, false"
        if "pattern" in bounds:
            return "text" if self.default is None else f"text like {self.default}"
        parts = [
            f"{sign} {bounds[key]:g}" if abs(bounds[key]) < 1e6 else f"{sign} {bounds[key]}"
            for key, sign in (
                ("minimum", ">="),
                ("exclusiveMinimum", ">"),
                ("maximum", "<="),
                ("exclusiveMaximum", "<"),
            )
            if key in bounds
        ]
        if self.multiple_of > 1:
            parts.append(f"a multiple of {self.multiple_of}")
        return ", ".join(parts) or {"string": "text", "number": "any finite number"}.get(self.kind, self.kind)

    def check(self, value: Any, place: Place) -> Any:
        """``value`` in the knob's own type.

        Raises:
            InputError: the knob does not take it; nothing is converted except an integer to a decimal number.
        """
        if isinstance(value, Mapping) and self.path in _MAPPINGS:
            try:
                return _MAPPINGS[self.path](value)
            except ValueError as error:
                raise place.error(*error.args) from None
        if isinstance(value, list | tuple):
            raise place.error(
                f"a list, {show(value)}, is not a value",
                "give it one value" if self.path in FIXED_ONLY else f"write {{choices: {show(value)}}}",
            )
        if value is None and not self.optional:
            raise place.error(
                "empty", f"write {_KINDS[self.kind]}" + ("" if self.required else " or leave it out")
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise place.error(f"{value!r} is not a finite number", self.domain())
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "value_error":
                raise place.error(*first["ctx"]["error"].args) from None
            raise self._refusal(value, first["type"], place) from None

    def _refusal(self, value: Any, kind: str, place: Place) -> Exception:
        if self.allowed:
            if isinstance(value, str) != isinstance(self.allowed[0], str):
                kind = "text" if isinstance(self.allowed[0], str) else "a number"
                return place.error(
                    f"{show(value)} is {kind_of(value)}, not {kind}", f"one of {self.domain()}"
                )
            return place.error(f"{show(value)} is not one of {self.domain()}", self._nearest_allowed(value))
        if kind == "string_pattern_mismatch":
            return place.error(f"{show(value)} does not match {self.schema['pattern']}", self.domain())
        if kind == "multiple_of":
            step = self.multiple_of
            nearest = (2 * value + step) // (2 * step) * step
            nearest = min(max(nearest, self.schema.get("minimum", step)), self.schema.get("maximum", nearest))
            return place.error(f"{show(value)} is not a multiple of {step}", f"did you mean {nearest}?")
        if isinstance(value, int | float) and not isinstance(value, bool) and self.kind == "integer":
            if isinstance(value, float):
                whole = f"did you mean {round(value)}?"
                return place.error(f"{show(value)} is a decimal number, not an integer", whole)
            return place.error(f"{show(value)} is out of range", self.domain())
        if isinstance(value, int | float) and not isinstance(value, bool) and self.kind == "number":
            return place.error(f"{show(value)} is out of range", self.domain())
        remedy = self.domain()
        if self.kind == "string" and isinstance(value, int | float):
            remedy = f'put it in quotes, as in {self.path.rpartition(".")[2]}: "{show(value)}"'
        return place.error(f"{show(value)} is {kind_of(value)}, not {_KINDS[self.kind]}", remedy)

    def _nearest_allowed(self, value: Any) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            # Such lists are geometric, so the nearest is the one of least ratio.
            nearest = min(self.allowed, key=lambda item: abs(math.log(max(value, 0.1)) - math.log(item)))
            return f"did you mean {nearest}?"
        remedy = nearest_name(value, [str(item) for item in self.allowed])
        return remedy if remedy.startswith("did") else f"for example {self.allowed[0]}"


def model_knobs(model: type[BaseModel], group: str) -> dict[str, Knob]:
    """The fields of ``model`` by name, without those that hold others."""
    found = {}
    properties = model.model_json_schema()["properties"]
    for name, info in model.model_fields.items():
        if get_origin(info.annotation) is tuple or (
            isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
        ):
            continue
        schema = properties[name]
        optional = any(branch.get("type") == "null" for branch in schema.get("anyOf", ()))
        if optional:
            schema = next(branch for branch in schema["anyOf"] if branch.get("type") != "null")
        annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        found[name] = Knob(
            path=f"{group}.{name}",
            kind=schema["type"],
            default=None if info.is_required() else info.default,
            required=info.is_required(),
            optional=optional,
            schema={
                key: value for key, value in schema.items() if key not in ("title", "default", "description")
            },
            _adapter=TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False)),
        )
    return found


@cache
def knobs() -> Mapping[str, Knob]:
    """Every knob of a candidate by path, in the order of the configuration."""
    found = {}
    for group, info in Candidate.model_fields.items():
        (model,) = (kind for kind in (info.annotation, *get_args(info.annotation)) if isinstance(kind, type))
        for knob in model_knobs(model, group).values():
            found[knob.path] = knob
    return found
