"""One study, ``/s/<id>``: the Pareto scatter, the table of the front, the point that was clicked."""

from __future__ import annotations

from dash import Dash

from aster_dse.dashboard.pages.study import live, panel, views
from aster_dse.dashboard.pages.study.layout import layout
from aster_dse.store import StudyReader

__all__ = ["layout", "register"]


def register(app: Dash, reader: StudyReader) -> None:
    """Wire the page: what the server answers, and what the browser does alone."""
    live.register(app, reader)
    panel.register(app, reader)
    views.register(app)
