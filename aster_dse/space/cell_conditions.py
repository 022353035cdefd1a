from dataclasses import dataclass


@dataclass(frozen=True)
class CellConditions:
    on_off: float | None = None
    variation: float = 0.0
    variation_of: str = "level"
    read_noise: float = 0.0
    stuck_on: float = 0.0
    stuck_off: float = 0.0
    drift: float = 1.0
    drift_correction: bool = False
    norm_reestimation: bool = False
