"""The application: the frame around the pages, the way from an address to a page, the guard at the door."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from flask import Flask

from aster_dse.dashboard.access import Access, content_security_policy, install_headers
from aster_dse.dashboard.pages import PAGES
from aster_dse.dashboard.pages.elements import message
from aster_dse.dashboard.transport import install_transport
from aster_dse.errors import NotFoundError
from aster_dse.store import StudyReader

__all__ = ["build_app", "create_app"]


def create_app(url: str, *, token: str | None = None, public_host: str | None = None) -> Dash:
    """See :func:`aster_dse.dashboard.create_app`."""
    access = Access(token, hosts=[public_host] if public_host else [], secure=public_host is not None)
    return build_app(StudyReader(url), access)


def build_app(reader: StudyReader, access: Access) -> Dash:
    """The application over an open reader, guarded by ``access``."""
    server = Flask("aster_dse.dashboard")
    install_transport(server)
    access.install(server)
    app = Dash(
        "aster_dse.dashboard",
        server=server,
        assets_folder=str(Path(__file__).with_name("assets")),
        use_pages=False,
        serve_locally=True,
        compress=False,
        suppress_callback_exceptions=True,
        title="ASTER-DSE",
        update_title=None,
        enable_mcp=False,
        url_base_pathname="/",
        add_log_handler=False,
    )
    app.layout = _frame()
    for page in PAGES:
        page.register(app, reader)
    _register_routes(app, reader)
    install_headers(server, content_security_policy(app.csp_hashes()))
    return app


def _frame() -> html.Div:
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="theme"),
            dcc.Store(id="title-set"),
            html.Header(
                [
                    dcc.Link("ASTER-DSE", href="/", className="wordmark"),
                    html.Span("design-space exploration of spiking transformers", className="muted"),
                ],
                className="top-bar",
            ),
            html.Main(id="page"),
        ],
        id="theme-anchor",
    )


def _register_routes(app: Dash, reader: StudyReader) -> None:
    def route(path: str | None, query: str | None) -> Any:
        for page in PAGES:
            match = re.fullmatch(page.route, path or "/")
            if match:
                try:
                    return page.layout(reader, tuple(int(group) for group in match.groups()), query or "")
                except NotFoundError:
                    break
        return message(
            "There is no such page",
            html.P("The study may have been deleted, or the address is mistyped."),
            dcc.Link("See all studies", href="/"),
        )

    app.callback(Output("page", "children"), Input("url", "pathname"), State("url", "search"))(route)
    app.clientside_callback(
        ClientsideFunction("aster", "theme"), Output("theme", "data"), Input("theme-anchor", "id")
    )
    app.clientside_callback(
        ClientsideFunction("aster", "title"), Output("title-set", "data"), Input("title", "data")
    )
