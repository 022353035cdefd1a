"""Whether accelerators of a space can exist."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from aster_dse.errors import InputError
from aster_dse.evaluation.drawing import spread
from aster_dse.hardware import resolve
from aster_dse.space import HardwareConfig, LayerRanges, Parameter

__all__ = ["check_designs", "check_values", "spare_levels"]

_DRAWN = 256
"""Accelerators that are tried before a value is refused."""


def check_designs(parameters: Sequence[Parameter], hardware: HardwareConfig, *, seed: int = 0) -> None:
    """Make sure that some accelerator of a space can exist.

    Raises:
        InputError: none of many that were drawn can; the reason is that of the last one.
    """
    searched = [p for p in parameters if p.group == "hardware"]
    if not searched:
        resolve(hardware)
        return
    refusal: InputError | None = None
    fixed = hardware.model_dump()
    for units in spread(len(searched), _DRAWN, np.random.default_rng(seed)):
        chosen = {p.name: p.from_unit(unit) for p, unit in zip(searched, units, strict=True)}
        try:
            resolve(HardwareConfig(**{**fixed, **chosen}))
        except InputError as error:
            refusal = error
        else:
            return
    if refusal is not None:
        raise refusal


def check_values(parameters: Sequence[Parameter], hardware: HardwareConfig, *, seed: int = 0) -> None:
    """Make sure that some accelerator can have each value of each searched knob.

    Raises:
        InputError: none of many that were drawn can; the reason is that of the last one.
    """
    searched = [p for p in parameters if p.group == "hardware"]
    check_designs(searched, hardware, seed=seed)
    rng = np.random.default_rng(seed)
    fixed = hardware.model_dump()
    for parameter in searched:
        for name, texts in _values(parameter, rng):
            refusal: InputError | None = None
            for units, value in zip(spread(len(searched), _DRAWN, rng), texts, strict=False):
                drawn = {p.name: p.from_unit(unit) for p, unit in zip(searched, units, strict=True)}
                try:
                    resolve(HardwareConfig(**{**fixed, **drawn, parameter.name: value}))
                except InputError as error:
                    refusal = error
                else:
                    break
            else:
                if refusal is not None:
                    problem = f"no accelerator of the space can have it: {refusal.where}: {refusal.problem}"
                    raise InputError(f"{parameter.path}: {name}", problem, refusal.remedy)


def _values(parameter: Parameter, rng: np.random.Generator) -> Iterator[tuple[str, Iterator[Any]]]:
    """What each value is called, and the knob at it again and again."""
    if not isinstance(parameter, LayerRanges):
        listed = parameter.values()
        for value in (parameter.from_unit(0.0), parameter.from_unit(1.0)) if listed is None else listed:
            yield str(value), itertools.repeat(value)
        return
    for number, family in enumerate(parameter.families):
        slots = [place for place, slot in enumerate(parameter.slots) if slot.family == number]
        for name, values in family.knobs if slots else ():
            for value in values:
                options = [place for place, option in enumerate(family.options) if option[name] == value]
                texts = _texts(parameter, slots, options, rng)
                yield f"{family.pattern}.{name}: {value}", texts


def _texts(
    ranges: LayerRanges, slots: Sequence[int], options: Sequence[int], rng: np.random.Generator
) -> Iterator[str]:
    """Vectors whose slots have one of the options, and the others anything."""
    while True:
        vector = [int(rng.integers(count)) for count in ranges.counts]
        for slot in slots:
            vector[slot] = options[int(rng.integers(len(options)))]
        yield ranges.text(vector)


def spare_levels(parameters: Sequence[Parameter], hardware: HardwareConfig) -> tuple[str, ...]:
    """A note where converters may have more levels than columns have sums: legal, and of no use."""
    searched = {p.name: p.values() or () for p in parameters if p.group == "hardware"}
    try:
        chip = resolve(hardware)
    except InputError:
        # What is fixed can exist with what is searched only.
        return ()
    if hardware.arrays != "real" or not chip.conditions.ideal or chip.compute != "analog":
        return ()
    levels, rows, bits = (
        searched.get(name) or (getattr(chip, name),) for name in ("adc_levels", "rows", "cell_bits")
    )
    most, fewest, least = (
        max(value for value in levels if value is not None),
        min(value for value in rows if value is not None),
        min(value for value in bits if value is not None),
    )
    sums = fewest * ((1 << least) - 1)
    if most <= sums + 1:
        return ()
    return (
        f"hardware.adc_levels: {most} levels are more than columns of {fewest} rows of {least}-bit cells can "
        f"use, which sum to {sums} at most; a step then is one level of a cell",
    )
