"""How pictures look, and how they become files."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import plotly.graph_objects as go

from aster_dse.errors import AsterError, InputError

__all__ = ["FIGURE_SUFFIXES", "FONT", "OKABE_ITO", "check_drawable", "write_figure"]

FIGURE_SUFFIXES = (".png", ".html")
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
FONT = {"family": "Helvetica, Arial, Liberation Sans, sans-serif", "size": 13, "color": "#1a1f26"}


def write_figure(figure: go.Figure, path: Path) -> None:
    """Write a picture (``.png``, ``.svg``) or a page that works without a network (``.html``).

    Raises:
        InputError: the file cannot be written.
        AsterError: there is no browser that draws pictures.
    """
    try:
        if path.suffix.lower() == ".html":
            figure.write_html(path, include_plotlyjs=True, config={"displaylogo": False})
            return
        path.write_bytes(_picture(figure, path))
    except OSError as error:
        raise InputError(str(path), f"cannot be written: {error.strerror}", "name another file") from None


def check_drawable(path: Path | None) -> None:
    """Whether a picture can be drawn here, asked before the work that it shows.

    Raises:
        AsterError: there is no browser to draw it.
    """
    if path is None or path.suffix.lower() not in (".png", ".svg") or os.environ.get("BROWSER_PATH"):
        return
    from choreographer.browsers.chromium import Chromium

    if Chromium.find_browser(skip_local=False) is None:
        raise _no_browser(path)


def _no_browser(path: Path) -> AsterError:
    kind = path.suffix.lower().removeprefix(".")
    return AsterError(
        f"{path}: a {kind.upper()} is drawn by Chrome or Chromium, and none could be started "
        f"(install Chromium, name it in BROWSER_PATH, or write {path.with_suffix('.html')} instead)"
    )


def _picture(figure: go.Figure, path: Path) -> bytes:
    kind = path.suffix.lower().removeprefix(".")
    if find_spec("kaleido") is None:  # plotly would raise a ValueError, as it does for other reasons
        raise ModuleNotFoundError("No module named 'kaleido'", name="kaleido")
    try:
        drawn: bytes = figure.to_image(format=kind, scale=1.5 if kind == "png" else 1.0)
    except (RuntimeError, ValueError) as error:
        # Kaleido's errors are these; that a browser is missing or does not start is what can go wrong here.
        raise _no_browser(path) from error
    return drawn
