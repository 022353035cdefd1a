"""What the browser does without asking: drawing, filtering, choosing, keeping the address."""

from __future__ import annotations

from dash import ClientsideFunction, Dash, Input, Output, State

__all__ = ["register"]


def register(app: Dash) -> None:
    """Wire the functions of ``assets/60-callbacks.js``."""
    app.clientside_callback(
        ClientsideFunction("aster", "ingest"),
        Output("view", "data"),
        Output("cursor", "data"),
        Output("tile-front", "children"),
        Output("tick", "disabled"),
        Input("feed", "data"),
        State("meta", "data"),
        State("view", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("aster", "choices"),
        Output("x", "options"),
        Output("y", "options"),
        Output("color", "options"),
        Output("size", "options"),
        Input("view", "data"),
        State("meta", "data"),
        State("x", "options"),
    )
    app.clientside_callback(
        ClientsideFunction("aster", "scatter"),
        Output("scatter", "figure"),
        Input("view", "data"),
        Input("x", "value"),
        Input("y", "value"),
        Input("color", "value"),
        Input("size", "value"),
        Input("options", "value"),
        Input("point", "data"),
        Input("theme", "data"),
        State("meta", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("aster", "rows"),
        Output("grid", "rowData"),
        Output("grid", "columnDefs"),
        Output("grid-count", "children"),
        Input("view", "data"),
        Input("which", "value"),
        Input("options", "value"),
        State("meta", "data"),
        State("grid", "columnDefs"),
    )
    app.clientside_callback(
        ClientsideFunction("aster", "choose"),
        Output("point", "data"),
        Input("scatter", "clickData"),
        Input("grid", "cellClicked"),
        State("point", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("aster", "mark"),
        Output("grid", "selectedRows"),
        Output("grid", "scrollTo"),
        Input("point", "data"),
        Input("grid", "rowData"),
    )
    app.clientside_callback(
        ClientsideFunction("aster", "address"),
        Output("address", "data"),
        Input("x", "value"),
        Input("y", "value"),
        Input("color", "value"),
        Input("size", "value"),
        Input("options", "value"),
        Input("which", "value"),
        Input("point", "data"),
    )
