"""How figures and knobs are written for people: words, symbols of units, which way is better."""

from __future__ import annotations

from dataclasses import dataclass

from aster_dse.space import METRICS

__all__ = ["MetricLabel", "knob_label", "metric_label", "number"]

_SYMBOLS = {"1": "", "uJ": "µJ", "us": "µs", "mm2": "mm²", "uJ us": "µJ·µs", "pJ": "pJ"}


@dataclass(frozen=True)
class MetricLabel:
    """A metric as a page names it."""

    name: str
    word: str
    unit: str
    """Symbol; empty for a plain number."""
    percent: bool
    """A share, shown as a percentage."""
    direction: str
    """``max`` or ``min``: which is better."""
    meaning: str

    @property
    def short(self) -> str:
        """``energy (µJ)``: heads a column."""
        unit = "%" if self.percent else self.unit
        return f"{self.word} ({unit})" if unit else self.word

    @property
    def axis(self) -> str:
        """``energy (µJ, lower is better)``: titles an axis."""
        better = "higher is better" if self.direction == "max" else "lower is better"
        return f"{self.word} ({self.unit}, {better})" if self.unit else f"{self.word} ({better})"

    def value(self, figure: float) -> str:
        """``93.4 %``, ``1.872 µJ``."""
        if self.percent:
            return f"{100 * figure:.2f} %"
        return f"{number(figure)} {self.unit}".rstrip()


def metric_label(name: str, direction: str | None = None) -> MetricLabel:
    """The label of a metric; one that this version does not know keeps its name."""
    metric = METRICS.get(name)
    if metric is None:
        return MetricLabel(name, name.replace("_", " "), "", False, direction or "min", "")
    return MetricLabel(
        name,
        metric.word,
        _SYMBOLS.get(metric.unit, metric.unit),
        metric.percent,
        direction or metric.direction,
        metric.meaning,
    )


def knob_label(path: str) -> str:
    """``hardware.adc_levels`` as ``adc levels``, with the group where a reader needs it apart.

    The group stays for names that two groups share (``network.timesteps`` and ``policy.timesteps``).
    """
    group, _, name = path.rpartition(".")
    word = name.replace("_", " ")
    return f"{group.split('.')[-1]} {word}" if name in {"timesteps", "seed", "name"} and group else word


def number(figure: float) -> str:
    """Four significant digits, without an exponent where a person would write none."""
    size = abs(figure)
    if size != 0 and (size < 1e-3 or size >= 1e6):
        return f"{figure:.3e}"
    digits = 4 if size == 0 else max(0, 3 - len(str(int(size))) + (size >= 1))
    return f"{figure:,.{min(digits, 6)}f}" if size >= 1 or size == 0 else f"{figure:.4g}"
