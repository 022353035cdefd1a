"""How far a measured accuracy can be trusted."""

from __future__ import annotations

import math

__all__ = ["wilson_interval"]


def wilson_interval(share: float, samples: int, *, z: float = 1.959964) -> tuple[float, float]:
    """Score interval of a share that was counted on so many samples; 95 % by default.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    scale = 1.0 + z * z / samples
    middle = (share + z * z / (2 * samples)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    return max(0.0, middle - half), min(1.0, middle + half)
