"""``aster-dse dashboard``: the pages, served from here."""

from __future__ import annotations

from typing import Annotated

import typer

from aster_dse.cli.extras import need
from aster_dse.cli.options import DEFAULT_STORAGE, Storage
from aster_dse.cli.output import say

__all__ = ["dashboard"]

TOKEN_VARIABLE = "ASTER_DSE_TOKEN"


def dashboard(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8050,
    token: Annotated[
        str | None,
        typer.Option(
            envvar=TOKEN_VARIABLE,
            help="What visitors sign in with, 16 characters at least. The variable is safer: other users of "
            "the machine can read a command line.",
        ),
    ] = None,
    behind_proxy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Public name of the TLS proxy in front.")
    ] = None,
    storage: Storage = DEFAULT_STORAGE,
) -> None:
    """Serve the dashboard: fronts, trials and breakdowns, live while a search runs, read-only."""
    need("the dashboard", "dashboard")
    from aster_dse.dashboard import serve

    def ready(link: str) -> None:
        print(
            f"dashboard: {link}\n(the link signs in one browser, once; Ctrl-C ends the dashboard)", flush=True
        )

    say("starting the dashboard ...")
    serve(storage, host=host, port=port, token=token, behind_proxy=behind_proxy, on_ready=ready)
