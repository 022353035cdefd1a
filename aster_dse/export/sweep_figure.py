"""The pictures of a sweep: heat maps with their numbers in the cells, and exit curves.

Colours are told apart with every kind of colour vision: cividis for the maps (Nuñez et al., PLoS ONE 13(7),
2018), Okabe and Ito's palette for the curves, which differ in their markers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from aster_dse.evaluation.sweep import Row, Sweep
from aster_dse.export.drawing import FONT, OKABE_ITO
from aster_dse.export.published_curves import PublishedCurves

__all__ = ["sweep_figure"]

_MARKERS = ("circle", "square", "triangle-up", "diamond", "x", "star", "triangle-down", "cross")
_WIDTH, _PANEL_HEIGHT = 1480, 460
_MOST_NUMBERS = 16
"""Columns beyond which a number no longer fits its cell."""


def sweep_figure(found: Sweep, *, title: str, reference: PublishedCurves | None = None) -> go.Figure:
    """Accuracy, mean steps and, where it is known, energy by skip set and exit threshold, and exit curves."""
    panels: list[tuple[str, go.Heatmap]] = []
    if not np.isnan(found.accuracy).any():
        panels.append(("Accuracy", _map(found, found.accuracy * 100, "accuracy", "%", ".1f")))
    panels.append(
        ("Mean time steps until exit", _map(found, found.mean_timesteps, "steps", "steps", ".2f", True))
    )
    if found.energy_uj is not None:
        energy, unit = _scaled(found.energy_uj)
        panels.append(("Energy of an inference", _map(found, energy, "energy", unit, ".3g", True)))
    if reference is not None and reference.skips:
        panels.append((f"ASTER as published: accuracy, {reference.model}", _published_map(reference)))
    curves = not np.isnan(found.accuracy).any()
    titles = [name for name, _ in panels] + (
        ["Accuracy against mean time steps, by skipped blocks"] if curves else []
    )
    rows = -(-len(titles) // 2)
    figure = make_subplots(
        rows=rows, cols=2, subplot_titles=titles, horizontal_spacing=0.17, vertical_spacing=0.26 / rows
    )
    for number, (name, heat) in enumerate(panels):
        row, column = number // 2 + 1, number % 2 + 1
        axis = "" if number == 0 else str(number + 1)
        across, up = figure.layout[f"xaxis{axis}"].domain, figure.layout[f"yaxis{axis}"].domain
        heat.colorbar.update(x=across[1] + 0.01, y=(up[0] + up[1]) / 2, len=up[1] - up[0], thickness=12)
        figure.add_trace(heat, row=row, col=column)
        title_text = f"exit threshold ({'confidence' if name.startswith('ASTER') else found.metric})"
        figure.update_xaxes(title_text=title_text, type="category", tickfont_size=12, row=row, col=column)
        by_threshold = _by_threshold(found.rows) and not name.startswith("ASTER")
        words = "skip threshold (firing rate of q AND kv)" if by_threshold else "skipped attention blocks"
        # From the top, as in a table.
        figure.update_yaxes(title_text=words, type="category", autorange="reversed", row=row, col=column)
    if curves:
        place = {"row": len(panels) // 2 + 1, "col": len(panels) % 2 + 1}
        for trace in _curves(found, reference):
            figure.add_trace(trace, **place)
        figure.update_xaxes(title_text="mean time steps until exit", gridcolor="#e7eaee", **place)
        figure.update_yaxes(title_text="accuracy, %", gridcolor="#e7eaee", **place)
        below = -90 / (_PANEL_HEIGHT * rows)
        figure.update_layout(
            legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": below, "yanchor": "top"}
        )
    figure.update_layout(
        title={"text": title, "x": 0.5, "xanchor": "center"},
        font=FONT,
        width=_WIDTH,
        height=_PANEL_HEIGHT * rows + 130,
        margin={"l": 80, "r": 60, "t": 100, "b": 110},
        plot_bgcolor="white",
        paper_bgcolor="white",
    )
    return figure


def _by_threshold(rows: Sequence[Row]) -> bool:
    return any(isinstance(row.asked, float) for row in rows)


def _labels(rows: Sequence[Row]) -> list[str]:
    return [f"{row.asked:.4g}" for row in rows]


def _map(
    found: Sweep, values: NDArray[np.float64], name: str, unit: str, digits: str, low_is_good: bool = False
) -> go.Heatmap:
    blocks = [", ".join(map(str, row.skipped)) or "none" for row in found.rows]
    return go.Heatmap(
        z=values,
        x=[f"{threshold:.8g}" for threshold in found.exits],
        y=_labels(found.rows),
        customdata=[[text] * len(found.exits) for text in blocks],
        # The better value is the brighter one in every map.
        colorscale="cividis_r" if low_is_good else "cividis",
        texttemplate=f"%{{z:{digits}}}" if len(found.exits) <= _MOST_NUMBERS else None,
        hovertemplate="skipped: %{customdata}<br>threshold %{x}<br>"
        + f"{name} %{{z:{digits}}} {unit}<extra></extra>",
        colorbar={"title": {"text": unit, "side": "right"}},
        xgap=1,
        ygap=1,
    )


def _published_map(reference: PublishedCurves) -> go.Heatmap:
    thresholds = sorted({threshold for row in reference.skips.values() for threshold in row})
    return go.Heatmap(
        z=[
            [100 * row.get(threshold, np.nan) for threshold in thresholds] for row in reference.skips.values()
        ],
        x=[f"{threshold:g}" for threshold in thresholds],
        y=[str(count) for count in reference.skips],
        colorscale="cividis",
        texttemplate="%{z:.1f}",
        hovertemplate="%{y} skipped<br>threshold %{x}<br>accuracy %{z:.2f} %<extra>ASTER</extra>",
        colorbar={"title": {"text": "%", "side": "right"}},
        xgap=1,
        ygap=1,
    )


def _curves(found: Sweep, reference: PublishedCurves | None) -> list[go.Scatter]:
    count = len(found.rows)
    colours: Sequence[Any] = OKABE_ITO
    if count > len(OKABE_ITO):
        colours = sample_colorscale("cividis", [0.9 * i / (count - 1) for i in range(count)])
    traces = []
    for number, label in enumerate(_labels(found.rows)):
        order = np.argsort(found.mean_timesteps[number], kind="stable")
        name = f"skip threshold {label}" if _by_threshold(found.rows) else f"{label} skipped"
        traces.append(
            go.Scatter(
                x=found.mean_timesteps[number][order],
                y=found.accuracy[number][order] * 100,
                text=[f"threshold {found.exits[i]:.8g}" for i in order],
                hovertemplate="%{text}<br>%{x:.2f} steps, %{y:.1f} %<extra>" + name + "</extra>",
                mode="lines+markers",
                name=name,
                line={"color": colours[number], "width": 2},
                marker={"symbol": _MARKERS[number % len(_MARKERS)], "size": 8},
            )
        )
    if reference is not None:
        traces.append(
            go.Scatter(
                x=[point.mean_timesteps for point in reference.exits],
                y=[point.accuracy * 100 for point in reference.exits],
                text=[f"threshold {point.threshold:.8g}" for point in reference.exits],
                hovertemplate="%{text}<br>%{x:.2f} steps, %{y:.2f} %<extra>ASTER</extra>",
                mode="lines+markers",
                name=f"ASTER as published: {reference.model}, {reference.name}",
                line={"color": "#1a1f26", "width": 2, "dash": "dash"},
                marker={"symbol": "circle-open", "size": 8},
            )
        )
    return traces


def _scaled(energy_uj: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """In the unit in which the numbers have few zeros."""
    if energy_uj.max() >= 1000:
        return energy_uj / 1000, "mJ"
    if energy_uj.max() < 1:
        return energy_uj * 1000, "nJ"
    return energy_uj, "uJ"
