"""Whether accelerators of a space can exist."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aster_dse.errors import InputError
from aster_dse.evaluation.drawing import spread
from aster_dse.hardware import resolve
from aster_dse.space import HardwareConfig, Parameter

__all__ = ["check_designs"]


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
    for units in spread(len(searched), 256, np.random.default_rng(seed)):
        chosen = {p.name: p.from_unit(unit) for p, unit in zip(searched, units, strict=True)}
        try:
            resolve(HardwareConfig(**{**fixed, **chosen}))
        except InputError as error:
            refusal = error
        else:
            return
    if refusal is not None:
        raise refusal
