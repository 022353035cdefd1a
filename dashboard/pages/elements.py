"""Pieces that several pages are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dash import dcc, html

from aster_dse.store import StudyCounts

__all__ = ["GRAPH_CONFIG", "command", "graph", "message", "moment", "states"]

GRAPH_CONFIG: dict[str, Any] = {
    # Nothing of a study may leave this machine: no button that uploads a chart, no address to upload it to.
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg", "filename": "aster-dse"},
}


def graph(graph_id: str, height_px: int | None = None, *, toolbar: bool = False) -> dcc.Graph:
    """An empty figure that the browser fills."""
    config = GRAPH_CONFIG if toolbar else {**GRAPH_CONFIG, "displayModeBar": False}
    style = {"height": f"{height_px}px"} if height_px else {}
    return dcc.Graph(
        id=graph_id, figure={"data": [], "layout": {}}, config=config, responsive=True, style=style
    )


def command(text: str) -> html.Div:
    """A command line with a button that copies it."""
    return html.Div(
        [
            html.Code(text, tabIndex="0"),
            html.Button(
                "Copy", className="copy", type="button", **{"data-copy": text, "aria-label": f"Copy {text}"}
            ),
        ],
        className="command",
    )


def moment(when: datetime) -> html.Time:
    """A moment, told relative to now by the browser."""
    return html.Time(when.strftime("%Y-%m-%d %H:%M UTC"), dateTime=when.isoformat(), title=when.isoformat())


def states(counts: StudyCounts) -> html.Div:
    """Trials by state, by shape and word as well as colour."""
    shown = [
        ("complete", counts.complete),
        ("running", counts.running),
        ("paused", counts.paused),
        ("failed", counts.failed),
    ]
    return html.Div(
        [
            html.Span(f"{count:,} {name}", className=f"state {name}")
            for name, count in shown
            if count or name == "complete"
        ],
        className="states",
    )


def message(heading: str, *content: Any) -> html.Div:
    """A page or a part of one that has nothing to show, and what to do about it."""
    return html.Div([html.H2(heading), *content], className="card empty")
