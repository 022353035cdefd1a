"""The words of ``hardware sweep``: the design that it starts from, and the knobs that it varies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aster_dse.cli.settings import group, hardware_file, settings
from aster_dse.errors import InputError

if TYPE_CHECKING:
    from aster_dse.hardware import Accelerator

__all__ = ["base_knobs", "swept_values"]

_GROUP = "hardware."
_MOST = 2000
"""Designs of a sweep."""


def base_knobs(
    base: str | None,
    hardware: Path | None,
    library: str | None,
    set_: list[str] | None,
    conditions: str | None,
    chips: int | None,
) -> dict[str, Any]:
    """The knobs of the design that a sweep starts from, by their short names.

    Raises:
        NotFoundError: there is no such file.
        InputError: a knob that is none, or a value that it does not take.
    """
    knobs = hardware_file(hardware) if hardware is not None else {}
    knobs |= settings([_with_group(word) for word in set_ or []], [_GROUP])
    short = group(knobs, "hardware")
    for name, value in (("base", base), ("library", library), ("conditions", conditions), ("chips", chips)):
        if value is not None:
            short[name] = _checked(name, value, f"--{name}")
    if short.get("arrays") == "ideal":
        raise InputError("hardware.arrays", "ideal arrays change nothing that a sweep shows", "leave it out")
    return {**short, "arrays": "real"}


def _checked(name: str, value: object, option: str) -> Any:
    path = f"{_GROUP}{name}"
    try:
        return settings([f"{path}={value}"], [_GROUP])[path]
    except InputError as error:
        raise InputError(option, error.problem, error.remedy) from None


def _with_group(word: str) -> str:
    return word if word.strip().startswith(_GROUP) else f"hardware.{word.strip()}"


def swept_values(over: list[str], knobs: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What each knob is swept over.

    Raises:
        InputError: no such knob, one that is no part of a design, or a value that it does not take.
    """
    from aster_dse.evaluation.design_sweep import usual_values
    from aster_dse.space import HARDWARE_KNOBS
    from aster_dse.space.document import nearest_name

    base = _base(knobs)
    known = [name for name, knob in HARDWARE_KNOBS.items() if not knob.fixed_only]
    found: dict[str, tuple[Any, ...]] = {}
    for word in over:
        name, equals, text = word.partition("=")
        name = name.strip().removeprefix(_GROUP)
        if name not in known:
            raise InputError(f"--over {word}", f"there is no knob {name} to sweep", nearest_name(name, known))
        if name in found:
            raise InputError(f"--over {word}", f"{name} is given twice", "once, with all values")
        if not equals:
            found[name] = usual_values(name, base)
            continue
        parts = [part.strip() for part in text.split(",")]
        found[name] = tuple(dict.fromkeys(_checked(name, part, f"--over {word}") for part in parts))
    count = 1
    for values in found.values():
        count *= len(values)
    if count > _MOST:
        raise InputError("--over", f"{count:,} designs", f"at most {_MOST:,}: name fewer values")
    return found


def _base(knobs: dict[str, Any]) -> Accelerator:
    from aster_dse.hardware import resolve
    from aster_dse.space import HardwareConfig

    return resolve(HardwareConfig(**knobs))
