"""One study, ``/s/<id>``: the Pareto scatter, the table of the front, the point that was clicked."""

from __future__ import annotations

from dash import Dash

from aster_dse.store import StudyReader
from dashboard.pages.study import live, panel, views
from dashboard.pages.study.layout import layout

__all__ = ["layout", "register"]


def register(app: Dash, reader: StudyReader) -> None:
    """Wire the page: what the server answers, and what the browser does alone."""
    live.register(app, reader)
    panel.register(app, reader)
    views.register(app)
