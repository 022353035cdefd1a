"""Whether accelerators of a space can exist, and which choices none of them can have.

An accelerator that breaks a rule can be mended only by another value of a knob that the rule reads. So all
accelerators that could have a choice are gone through by changing those knobs alone, again and again where
the next rule is broken: a few steps for the rules that there are, whatever the size of the space.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from aster_dse.errors import InputError
from aster_dse.evaluation.drawing import spread
from aster_dse.hardware import resolve
from aster_dse.hardware.rules import BrokenRuleError
from aster_dse.space import HardwareConfig, LayerRanges, Parameter

__all__ = ["check_designs", "spare_levels", "unusable_choices", "unusable_words"]

_DRAWN = 256
"""Accelerators that are drawn, before those that do not come up are looked for."""
_TRIED = 20_000
"""Accelerators that are tried for all choices; where they do not suffice, nothing is said of the others."""
_SHOWN = 8
"""Values that a line has room for."""
_LISTED = 4_096
"""Values of a knob that are gone through; of one with more, or continuous, the ends are."""
_FILES = ("base", "library")
"""Knobs that every other one may depend on."""
_READS: Mapping[str, tuple[str, ...]] = {
    "node_nm": ("node_nm",),
    "cell": ("cell",),
    "conditions": ("conditions", "cell"),
    "cell_bits": ("cell_bits", "cell", "compute"),
    "adc_kind": ("adc_kind", "compute"),
    "area_budget_mm2": ("area_budget_mm2", "tiles"),
}
"""What those checks depend on that are no rules, by the knob that they blame."""

_Design = dict[str, Any]


def check_designs(parameters: Sequence[Parameter], hardware: HardwareConfig, *, seed: int = 0) -> None:
    """Make sure that some accelerator of a space can exist.

    Raises:
        InputError: none can; the reason is that of the one whose knobs have their first values.
    """
    _Designs(parameters, hardware, seed).possible()


def unusable_choices(
    parameters: Sequence[Parameter], hardware: HardwareConfig, *, seed: int = 0
) -> tuple[str, ...]:
    """Lines on the values of searched knobs that no accelerator of a space can have.

    Raises:
        InputError: no accelerator can exist.
    """
    designs = _Designs(parameters, hardware, seed)
    grouped: dict[tuple[str, str], list[tuple[Any, InputError]]] = {}
    for knob, value, refusal in designs.unusable(designs.possible()):
        grouped.setdefault((knob, refusal.where), []).append((value, refusal))
    return tuple(unusable_words(knob, found) for (knob, _), found in grouped.items())


def unusable_words(path: str, found: Sequence[tuple[Any, InputError]]) -> str:
    """What is said of values of a knob that can never be used, each with its reason."""
    values = ", ".join(str(value) for value, _ in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    _, reason = found[0]
    return f"{path}: {values}{more} can never be used: {reason.where}: {reason.problem}"


class _Designs:
    """The accelerators of a space, each the value of every searched knob by name.

    A range over layers is a knob for each of its families, ``layers#NUMBER``: the number of the option that
    all layers of the family have.
    """

    def __init__(self, parameters: Sequence[Parameter], hardware: HardwareConfig, seed: int) -> None:
        self._searched = [p for p in parameters if p.group == "hardware"]
        self._fixed = hardware.model_dump()
        self._rng = np.random.default_rng(seed)
        self._known: dict[tuple[Any, ...], InputError | None] = {}
        self._ranges = next((p for p in self._searched if isinstance(p, LayerRanges)), None)
        self._values: dict[str, tuple[Any, ...]] = {}
        for parameter in self._searched:
            if not isinstance(parameter, LayerRanges):
                self._values[parameter.name] = _values_of(parameter)
        for number in self._families():
            self._values[f"layers#{number}"] = tuple(range(len(self._families()[number].options)))

    def possible(self) -> list[_Design]:
        """Accelerators that can exist.

        Raises:
            InputError: there is none.
        """
        if not self._searched:
            resolve(HardwareConfig(**self._fixed))
            return []
        found: list[_Design] = []
        waiting = {(name, value) for name, values in self._values.items() for value in values}
        for design in self._drawn():
            if self._refusal(design) is None:
                found.append(design)
                waiting -= set(design.items())
                if not waiting:
                    break
        if not found:
            first = {name: values[0] for name, values in self._values.items()}
            mended, _ = self._mended(first, frozenset())
            if mended is None:
                raise self._refusal(first) or InputError("hardware", "no accelerator can exist")
            found = [mended]
        return found

    def unusable(self, possible: Sequence[_Design]) -> Iterator[tuple[str, Any, InputError]]:
        """Path of a knob and a value that none can have, with the reason."""
        used = {(name, value) for design in possible for name, value in design.items()}
        for name, values in self._values.items():
            refused = {}
            for value in values:
                if (name, value) in used:
                    continue
                design = {**possible[0], name: value}
                mended, sure = self._mended(design, frozenset({name}))
                refusal = self._refusal(design)
                if mended is not None:
                    used |= set(mended.items())
                elif sure and refusal is not None:
                    refused[value] = refusal
            if name.startswith("layers#"):
                yield from self._unusable_of_family(int(name.partition("#")[2]), refused)
            else:
                yield from ((f"hardware.{name}", value, refusal) for value, refusal in refused.items())

    def _unusable_of_family(
        self, number: int, refused: Mapping[int, InputError]
    ) -> Iterator[tuple[str, Any, InputError]]:
        """Values of a family's knobs all of whose options are refused."""
        family = self._families()[number]
        for knob, values in family.knobs:
            for value in values:
                having = [place for place, option in enumerate(family.options) if option[knob] == value]
                if all(place in refused for place in having):
                    yield f"hardware.layers: {family.pattern}.{knob}", value, refused[having[0]]

    # --- single designs

    def _drawn(self) -> Iterator[_Design]:
        names = list(self._values)
        for units in spread(len(names), _DRAWN, self._rng):
            yield {
                name: self._values[name][
                    min(int(unit * len(self._values[name])), len(self._values[name]) - 1)
                ]
                for name, unit in zip(names, units, strict=True)
            }

    def _families(self) -> dict[int, Any]:
        """Those of the layer ranges that mean some layer, by number."""
        if self._ranges is None:
            return {}
        used = {slot.family for slot in self._ranges.slots}
        return {number: family for number, family in enumerate(self._ranges.families) if number in used}

    def _refusal(self, design: _Design) -> InputError | None:
        """Why it cannot exist; None where it can."""
        key = tuple(design.values())
        if key not in self._known:
            chosen = {name: value for name, value in design.items() if not name.startswith("layers#")}
            if self._ranges is not None:
                options = [design[f"layers#{slot.family}"] for slot in self._ranges.slots]
                chosen["layers"] = self._ranges.text(options)
            try:
                resolve(HardwareConfig(**{**self._fixed, **chosen}))
                self._known[key] = None
            except InputError as error:
                self._known[key] = error
        return self._known[key]

    def _mended(self, design: _Design, held: frozenset[str]) -> tuple[_Design | None, bool]:
        """An accelerator that can exist, its held knobs as ``design`` has them; whether all were tried."""

        def search(design: _Design, held: frozenset[str]) -> _Design | None:
            refusal = self._refusal(design)
            if refusal is None:
                return design
            for name in self._reads(refusal):
                if name in held:
                    continue
                for value in self._values[name]:
                    if value == design[name]:
                        continue
                    if len(self._known) > _TRIED:
                        return None
                    found = search({**design, name: value}, held | {name})
                    if found is not None:
                        return found
                # The others are to be changed at every value of this one, its own included.
                held |= {name}
            return None

        return search(design, held), len(self._known) <= _TRIED

    def _reads(self, refusal: InputError) -> list[str]:
        """Searched knobs that the reason for a refusal depends on."""
        blamed = refusal.where.rpartition(".")[2]
        names = refusal.reads if isinstance(refusal, BrokenRuleError) else _READS.get(blamed, ())
        if not names:
            return list(self._values)
        return [
            name
            for name in self._values
            if name in names or name in _FILES or (name.startswith("layers#") and "layers" in refusal.where)
        ]


def _values_of(parameter: Parameter) -> tuple[Any, ...]:
    if parameter.cardinality is not None and parameter.cardinality <= _LISTED:
        return parameter.values() or ()
    return tuple(
        dict.fromkeys((parameter.from_unit(0.0), parameter.from_unit(0.5), parameter.from_unit(1.0)))
    )


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
