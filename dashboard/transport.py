"""How responses travel: compressed, and the static ones kept by the browser.

plotly.js alone is 4.8 MB; Dash sends it uncompressed.
"""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict

from flask import Flask, Response, request

__all__ = ["install_transport"]

COMPRESSIBLE = ("text/", "application/json", "application/javascript", "image/svg+xml")
SMALLEST = 1024
"""Bytes below which compression saves nothing worth its header."""
KEPT_FILES = 64
"""Compressed static files held in memory; Dash, plotly and the grid are about twenty."""
STATIC_PREFIXES = ("/_dash-component-suites/", "/assets/")


class _Compressed:
    """The compressed static files, by address and size, least recently used out first."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, address: str, body: bytes) -> bytes:
        key = (address, hash(body))
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)
                return self._files[key]
        packed = gzip.compress(body, 9, mtime=0)
        with self._lock:
            self._files[key] = packed
            while len(self._files) > KEPT_FILES:
                self._files.popitem(last=False)
        return packed


def install_transport(server: Flask) -> None:
    """Compress what is worth it, once per static file, and let the browser keep what cannot change."""
    compressed = _Compressed()

    def pack(response: Response) -> Response:
        static = request.path.startswith(STATIC_PREFIXES)
        if static and response.status_code in (200, 304):
            # A fingerprinted address never changes its content; any other is checked by its ETag. Never
            # shared: a proxy must not hand it to someone who has not signed in.
            final = (response.cache_control.max_age or 0) > 0 or "m" in request.args
            response.headers["Cache-Control"] = (
                "private, max-age=31536000, immutable" if final else "private, no-cache"
            )
        response.headers.add("Vary", "Accept-Encoding")
        if not (response.mimetype or "").startswith(COMPRESSIBLE) or response.status_code != 200:
            return response
        if not request.accept_encodings["gzip"] or "Content-Encoding" in response.headers:
            return response
        response.direct_passthrough = False
        body = response.get_data()
        if len(body) < SMALLEST:
            return response
        response.set_data(compressed.get(request.path, body) if static else gzip.compress(body, 5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD":
            response.set_data(b"")
        return response

    server.after_request(pack)
