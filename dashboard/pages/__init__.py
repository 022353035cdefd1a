"""The pages, each a route, a layout and its callbacks. A new page is one module and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dash import Dash
from dash.development.base_component import Component

from aster_dse.dashboard.pages import studies, study
from aster_dse.store import StudyReader

__all__ = ["PAGES", "Page"]


@dataclass(frozen=True)
class Page:
    """One kind of page. ``route`` is a regular expression on the path; its groups are integers."""

    route: str
    layout: Callable[[StudyReader, tuple[int, ...], str], Component]
    """Takes the reader, the integers in the path and the query string."""
    register: Callable[[Dash, StudyReader], None]


PAGES: tuple[Page, ...] = (
    Page(r"/", studies.layout, studies.register),
    Page(r"/s/(\d{1,18})", study.layout, study.register),
)
