"""Presets of accelerators: those that ship with the package, and a user's own files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from aster_dse.errors import InputError
from aster_dse.hardware.documents import parse, shipped_names, shipped_text, user_text, validate
from aster_dse.space import HARDWARE_KNOBS, HardwareConfig
from aster_dse.space.document import in_lines
from aster_dse.space.file_knobs import is_user_file

__all__ = ["Fabric", "Preset", "load_preset", "preset_names"]

_FOLDER = "presets"
_COLUMNS_PER_SLICE = "columns_per_slice"
"""Entry of the fabric in older files, before ``column_kind`` was a knob."""
_KIND_OF_COLUMNS = {1: "offset", 2: "pair"}


class Fabric(BaseModel):
    """What a preset says of the digital side beyond the knobs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    membrane_bits: Annotated[int, Field(ge=4, le=64)]
    """Width of LIF state, residual stream and accumulators."""
    router_cycles: Annotated[int, Field(ge=1, le=64)]
    """Cycles from the input to the output of a router."""
    digital_lanes: Annotated[int, Field(ge=8, le=65536)]
    """Bits per cycle and tile of the attention unit and of the max-pool unit."""
    links_mm2: Annotated[float, Field(ge=0.0)] = 0.0
    """Area of the chip's links to others."""


class _Knobs(HardwareConfig):
    """The knobs as a preset gives them: without a base of its own."""

    base: str = ""


class Preset(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    knobs: _Knobs
    fabric: Fabric
    notes: tuple[str, ...] = ()
    """What its way of reading columns means for accuracy; said while that is as the preset has it."""


def preset_names() -> tuple[str, ...]:
    """Names that ``hardware.base`` can take."""
    return shipped_names(_FOLDER)


def load_preset(name_or_path: str) -> Preset:
    """A preset that ships, by its name, or a user's own file, by its path.

    A library that a user's file names by a relative path lies relative to that file.

    Raises:
        InputError: no such preset or file, or one that does not validate.
    """
    if name_or_path in preset_names():
        return _shipped_preset(name_or_path)
    if not is_user_file(name_or_path):
        raise InputError(
            "hardware.base",
            f"{name_or_path!r} is no known preset",
            f"one of {', '.join(preset_names())}, or the path of a .yaml file",
        )
    preset = _build_preset(user_text(name_or_path, "hardware.base"), name_or_path)
    if not is_user_file(preset.knobs.library):
        return preset
    library = str(PurePath(name_or_path).parent / str(preset.knobs.library))
    return preset.model_copy(update={"knobs": preset.knobs.model_copy(update={"library": library})})


@lru_cache(maxsize=32)
def _shipped_preset(name: str) -> Preset:
    return _build_preset(shipped_text(_FOLDER, name), f"{name}.yaml")


@lru_cache(maxsize=32)
def _build_preset(text: str, source: str) -> Preset:
    with in_lines(text, source):
        document = _with_knobs_of_fabric(parse(text, source), source)
        preset = validate(Preset, document, source)
        for knob in sorted(preset.knobs.model_fields_set):
            if knob in HARDWARE_KNOBS and HARDWARE_KNOBS[knob].fixed_only:
                raise InputError(
                    f"{source}: knobs.{knob}",
                    "says how a study judges accelerators, not what this one is",
                    "leave it out",
                )
        for knob in ("library", *(name for name, knob in HARDWARE_KNOBS.items() if not knob.optional)):
            if getattr(preset.knobs, knob) is None:
                raise InputError(f"{source}: knobs.{knob}", "no value", "a preset gives every knob one")
    return preset


def _with_knobs_of_fabric(document: dict[str, Any], source: str) -> dict[str, Any]:
    """A document in which what was an entry of the fabric is a knob, and later knobs have their default."""
    knobs, fabric = document.get("knobs"), document.get("fabric")
    if not isinstance(knobs, dict) or not isinstance(fabric, dict):
        return document
    defaults = {
        name: knob.preset_default
        for name, knob in HARDWARE_KNOBS.items()
        if knob.preset_default is not None and not knob.fixed_only
    }
    if _COLUMNS_PER_SLICE in fabric:
        fabric = dict(fabric)
        columns = fabric.pop(_COLUMNS_PER_SLICE)
        if "column_kind" in knobs:
            raise InputError(
                f"{source}: fabric.{_COLUMNS_PER_SLICE}", "knobs.column_kind says it too", "leave it out"
            )
        if isinstance(columns, bool) or columns not in _KIND_OF_COLUMNS:
            raise InputError(
                f"{source}: fabric.{_COLUMNS_PER_SLICE}",
                f"{columns!r} is neither 1 nor 2",
                "write column_kind",
            )
        defaults["column_kind"] = _KIND_OF_COLUMNS[columns]
    return {**document, "knobs": {**defaults, **knobs}, "fabric": fabric}
