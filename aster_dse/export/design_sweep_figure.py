"""The picture of a sweep over an accelerator's knobs: accuracy, energy and area, one panel each."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from aster_dse.evaluation.design_sweep import DesignSweep, SweptDesign
from aster_dse.export.drawing import FONT, OKABE_ITO

__all__ = ["design_sweep_figure"]

_MARKERS = ("circle", "square", "triangle-up", "diamond", "x", "star", "triangle-down", "cross")
_DASHES = ("solid", "dash", "dot", "dashdot")
_WIDTH, _HEIGHT = 1480, 560


def design_sweep_figure(found: DesignSweep, *, title: str) -> go.Figure:
    """The first knob along the axis, a line for each combination of the others.

    The accuracy of the plain network is the dashed line; bars are 95 % intervals for the number of samples.
    """
    first, *others = found.over
    energy_scale, energy_unit = _scale(max(row.evaluation.metrics["energy_uj"] for row in found.rows))
    panels: list[tuple[str, str, float]] = [
        ("accuracy, %", "accuracy", 100.0),
        (f"energy of an inference, {energy_unit}", "energy_uj", energy_scale),
        ("area, mm²", "area_mm2", 1.0),
    ]
    figure = make_subplots(rows=1, cols=3, subplot_titles=[name for name, _, _ in panels])
    lines = _lines(found, others)
    for number, (label, rows) in enumerate(lines.items()):
        style = {"color": OKABE_ITO[number % len(OKABE_ITO)], "dash": _DASHES[number // 6 % len(_DASHES)]}
        for column, (name, metric, scale) in enumerate(panels, 1):
            values = [row.evaluation.metrics[metric] * scale for row in rows]
            figure.add_trace(
                go.Scatter(
                    x=[_text(row.values[first]) for row in rows],
                    y=values,
                    mode="lines+markers",
                    name=label or "on its arrays",
                    legendgroup=label,
                    showlegend=column == 1,
                    line={**style, "width": 2},
                    marker={"symbol": _MARKERS[number % len(_MARKERS)], "size": 8},
                    error_y=_interval(rows, values) if metric == "accuracy" else None,
                    hovertemplate=f"{first} %{{x}}<br>%{{y:.4g}}<extra>{label or name}</extra>",
                ),
                row=1,
                col=column,
            )
    ideal = found.rows[0].evaluation.metrics["accuracy_ideal"] * 100
    figure.add_hline(y=ideal, line={"color": "#1a1f26", "dash": "dash", "width": 1}, row=1, col=1)
    order = [_text(value) for value in found.over[first]]
    figure.update_xaxes(
        title_text=first, type="category", categoryorder="array", categoryarray=order, gridcolor="#e7eaee"
    )
    figure.update_yaxes(gridcolor="#e7eaee")
    figure.update_yaxes(rangemode="tozero", col=2)
    figure.update_yaxes(rangemode="tozero", col=3)
    figure.update_layout(
        title={"text": title, "x": 0.5, "xanchor": "center"},
        legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.2, "yanchor": "top"},
        font=FONT,
        width=_WIDTH,
        height=_HEIGHT + 22 * (len(lines) // 6),
        margin={"l": 70, "r": 40, "t": 100, "b": 110},
        plot_bgcolor="white",
        paper_bgcolor="white",
    )
    return figure


def _lines(found: DesignSweep, others: list[str]) -> dict[str, list[SweptDesign]]:
    lines: dict[str, list[SweptDesign]] = {}
    for row in found.rows:
        label = ", ".join(f"{name} {_text(row.values[name])}" for name in others)
        lines.setdefault(label, []).append(row)
    return lines


def _interval(rows: list[SweptDesign], values: list[float]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [row.interval[1] * 100 - value for row, value in zip(rows, values, strict=True)],
        "arrayminus": [value - row.interval[0] * 100 for row, value in zip(rows, values, strict=True)],
        "thickness": 1,
        "width": 3,
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _scale(highest_uj: float) -> tuple[float, str]:
    """The unit in which the numbers have few zeros."""
    if highest_uj >= 1000:
        return 1e-3, "mJ"
    return (1e3, "nJ") if highest_uj < 1 else (1.0, "uJ")
