"""The picture of a cost: energy, time and area by part, energy against the firing rate, and a roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from aster_dse.export.drawing import FONT, OKABE_ITO
from aster_dse.hardware import HardwareCost
from aster_dse.hardware.roofline import Roofline

__all__ = ["cost_figure"]

_WIDTH, _LAYER_HEIGHT, _LEAST_HEIGHT = 1480, 15, 1250
_MANY_PJ = 1e7
"""Of one layer, from which energies are given in uJ."""
_OTHER, _GREY = "other", "#8a939e"
_SHOWN = len(OKABE_ITO)
"""Components with a colour of their own; the smaller ones are shown together."""


def cost_figure(
    cost: HardwareCost,
    roof: Roofline,
    *,
    title: str,
    rates: Sequence[float],
    curves: Mapping[str, Sequence[float]],
) -> go.Figure:
    """Six panels.

    Args:
        roof: the ceilings of the accelerator and the layers under them.
        rates: firing rates of the curves.
        curves: energy in uJ at each rate, by name.
    """
    figure = make_subplots(
        rows=3,
        cols=2,
        subplot_titles=[
            "Energy by layer and component",
            "Time by layer",
            "Area by component",
            "Energy of an inference against the firing rate",
            "Energy of an inference by what it grows with",
            "Layers under the roofline",
        ],
        row_heights=[0.5, 0.25, 0.25],
        horizontal_spacing=0.14,
        vertical_spacing=0.07,
    )
    layers = list(cost.energy_pj_by_layer)
    many = max(cost.energy_pj_by_layer.values()) >= _MANY_PJ
    energy_unit, scale = ("uJ", 1e-6) if many else ("nJ", 1e-3)
    for number, (name, by_layer) in enumerate(_by_component(cost)):
        figure.add_trace(
            go.Bar(
                y=layers,
                x=[by_layer.get(layer, 0.0) * scale for layer in layers],
                name=name.replace("_", " "),
                orientation="h",
                marker_color=_GREY if name == _OTHER else OKABE_ITO[number],
                hovertemplate="%{y}: %{x:.4g} " + energy_unit,
                legend="legend",
            ),
            row=1,
            col=1,
        )
    figure.add_trace(
        go.Bar(
            y=layers,
            x=[cost.latency_ns_by_layer[layer] * 1e-3 for layer in layers],
            orientation="h",
            marker_color=OKABE_ITO[0],
            hovertemplate="%{y}: %{x:.4g} us<extra></extra>",
            showlegend=False,
        ),
        row=1,
        col=2,
    )
    area = {name: um2 * 1e-6 for name, um2 in cost.area_um2_by_component.items() if um2}
    figure.add_trace(
        go.Bar(
            y=[name.replace("_", " ") for name in area],
            x=list(area.values()),
            orientation="h",
            marker_color=OKABE_ITO[2],
            hovertemplate="%{y}: %{x:.4g} mm2<extra></extra>",
            showlegend=False,
        ),
        row=2,
        col=1,
    )
    dashes = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
    for number, (name, values) in enumerate(curves.items()):
        figure.add_trace(
            go.Scatter(
                x=list(rates),
                y=list(values),
                name=name,
                line={"color": OKABE_ITO[number % len(OKABE_ITO)], "dash": dashes[number % len(dashes)]},
                hovertemplate="rate %{x:.3g}: %{y:.4g} uJ<extra>" + name + "</extra>",
                legend="legend2",
            ),
            row=2,
            col=2,
        )
    _add_kinds(figure, cost, energy_unit, scale)
    _add_roofline(figure, roof)
    words = {(1, 1): energy_unit, (1, 2): "us", (2, 1): "mm2", (2, 2): "firing rate", (3, 1): energy_unit}
    for (row, column), unit in words.items():
        figure.update_xaxes(title_text=unit, gridcolor="#e7eaee", row=row, col=column)
    for row, column in ((1, 1), (1, 2), (2, 1), (3, 1)):
        figure.update_yaxes(autorange="reversed", type="category", tickfont_size=11, row=row, col=column)
    figure.update_yaxes(title_text="uJ", type="log", gridcolor="#e7eaee", row=2, col=2)
    height = max(_LEAST_HEIGHT, int(_LAYER_HEIGHT * len(layers) / 0.5) + 400)
    figure.update_layout(
        title={"text": title, "x": 0.5, "xanchor": "center"},
        barmode="stack",
        font=FONT,
        width=_WIDTH,
        height=height,
        margin={"l": 110, "r": 230, "t": 90, "b": 70},
        legend={"x": 1.01, "y": 1.0, "title": {"text": "component"}},
        legend2={"x": 1.01, "y": 0.57, "yanchor": "middle", "title": {"text": "energy"}},
        legend3={"x": 1.01, "y": 0.1, "yanchor": "middle", "title": {"text": "roofline"}},
        plot_bgcolor="white",
        paper_bgcolor="white",
    )
    return figure


def _add_kinds(figure: go.Figure, cost: HardwareCost, unit: str, scale: float) -> None:
    kinds = cost.energy_pj_by_kind
    figure.add_trace(
        go.Bar(
            y=[kind.replace("_", " ") for kind in kinds],
            x=[pj * scale for pj in kinds.values()],
            orientation="h",
            marker_color=OKABE_ITO[4],
            hovertemplate="%{y}: %{x:.4g} " + unit + "<extra></extra>",
            showlegend=False,
        ),
        row=3,
        col=1,
    )


def _add_roofline(figure: go.Figure, roof: Roofline) -> None:
    """Dense operations a second over dense operations a byte of input, both logarithmic."""
    reached = [layer.operations_per_byte for layer in roof.layers]
    low, high = min(reached) / 3.0, max(reached) * 3.0
    corners = sorted(roof.peak_tops / (rate * 1e-3) for rate in (roof.network_gbyte_s, roof.memory_gbyte_s))
    spots = sorted({low, high, *(corner for corner in corners if low < corner < high)})
    for number, (name, rate) in enumerate(
        (("network on chip", roof.network_gbyte_s), ("off-chip memory", roof.memory_gbyte_s))
    ):
        figure.add_trace(
            go.Scatter(
                x=spots,
                y=[min(roof.peak_tops, spot * rate * 1e-3) for spot in spots],
                mode="lines",
                name=f"{name}, {rate:.3g} GB/s",
                line={"color": OKABE_ITO[number], "dash": ("solid", "dash")[number]},
                hovertemplate="%{x:.3g} operations/byte: at most %{y:.3g} TOPS<extra>" + name + "</extra>",
                legend="legend3",
            ),
            row=3,
            col=2,
        )
    for values, name, symbol in (
        ([layer.peak_tops for layer in roof.layers], "a layer's arrays at their peak", "line-ew-open"),
        ([layer.tops for layer in roof.layers], "reached", "circle"),
    ):
        figure.add_trace(
            go.Scatter(
                x=reached,
                y=values,
                mode="markers",
                name=name,
                text=[layer.name for layer in roof.layers],
                marker={"symbol": symbol, "size": 9, "color": OKABE_ITO[3], "line": {"width": 2}},
                hovertemplate="%{text}: %{y:.3g} TOPS<extra>" + name + "</extra>",
                legend="legend3",
            ),
            row=3,
            col=2,
        )
    axes = {"type": "log", "gridcolor": "#e7eaee", "row": 3, "col": 2}
    figure.update_xaxes(title_text="operations per byte of input", **axes)
    figure.update_yaxes(title_text="TOPS", **axes)


def _by_component(cost: HardwareCost) -> list[tuple[str, dict[str, float]]]:
    """pJ by layer of the largest components, and of all others together."""
    order = sorted(cost.energy_pj, key=lambda name: -cost.energy_pj_by_component[name])
    shown = [(name, cost.energy_pj[name]) for name in order[:_SHOWN]]
    others: dict[str, float] = {}
    for name in order[_SHOWN:]:
        for layer, energy in cost.energy_pj[name].items():
            others[layer] = others.get(layer, 0.0) + energy
    return [*shown, (_OTHER, others)] if others else shown
