"""The dashboard: a read-only view of the studies in a store, for a browser.

Its entry points import Dash when they are called, so that importing this package stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dash import Dash

    from aster_dse.dashboard.server import DashboardServer

__all__ = ["create_app", "open_server", "serve"]


def create_app(url: str, *, token: str | None = None, public_host: str | None = None) -> Dash:
    """Build the application for a WSGI server of one's own (``create_app(...).server``).

    Args:
        url: the store, ``sqlite:///...`` or ``postgresql+psycopg://...``; it is only ever read.
        token: what a visitor signs in with, 16 characters at least; None makes one up, so that only a
            one-time link of :func:`serve` opens the door.
        public_host: name under which a TLS proxy serves the dashboard.
    """
    from aster_dse.dashboard.app import create_app as build

    return build(url, token=token, public_host=public_host)


def open_server(
    url: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    token: str | None = None,
    behind_proxy: str | None = None,
) -> DashboardServer:
    """Bind a server without running it yet; see :func:`serve` for the arguments."""
    from aster_dse.dashboard.server import DashboardServer

    return DashboardServer(url, host=host, port=port, token=token, behind_proxy=behind_proxy)


def serve(
    url: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    token: str | None = None,
    behind_proxy: str | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard until it is interrupted (Ctrl-C returns).

    Args:
        url: the store.
        host: address to bind; anything but a loopback address needs ``token`` and ``behind_proxy``.
        port: 0 takes a free one.
        token: what visitors sign in with; without it the link given to ``on_ready`` is the only way in.
        behind_proxy: public name of the TLS proxy in front, e.g. ``dse.example.org``.
        on_ready: is called once the socket listens, with a link that signs in one browser, once.

    Raises:
        InputError: the address, the port or the token is refused.
        NotFoundError, UnreachableError: the store is not there.
    """
    with open_server(url, host=host, port=port, token=token, behind_proxy=behind_proxy) as server:
        if on_ready is not None:
            on_ready(server.one_time_url())
        server.run()
