"""The listening socket: which address may be bound, and waitress behind it."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_address
from types import TracebackType
from typing import Any

import waitress
from waitress import wasyncore

from aster_dse.dashboard.access import Access
from aster_dse.dashboard.app import build_app
from aster_dse.errors import InputError
from aster_dse.store import StudyReader

__all__ = ["DashboardServer"]

THREADS = 8
"""A browser opens six connections; a slow query must not hold up the rest."""
LOOP_S = 0.5
"""Seconds that a server may take to notice that it is to close."""


class DashboardServer:
    """A bound dashboard; a context manager. See :func:`aster_dse.dashboard.serve` for the arguments."""

    def __init__(
        self,
        url: str,
        *,
        host: str = "127.0.0.1",
        port: int = 8050,
        token: str | None = None,
        behind_proxy: str | None = None,
    ) -> None:
        if not 0 <= port <= 65535:
            raise InputError("--port", f"{port} is no TCP port", "give 0 (any free one) to 65535")
        self._access = _access(host, token, behind_proxy)
        self._reader = StudyReader(url)
        host = "127.0.0.1" if host == "localhost" else host
        self._closing, self._running = threading.Event(), threading.Event()
        self._sockets: dict[int, Any] = {}
        try:
            self._server = waitress.create_server(
                build_app(self._reader, self._access).server,
                map=self._sockets,
                host=host,
                port=port,
                threads=THREADS,
                ident="",
                max_request_body_size=1 << 20,
                clear_untrusted_proxy_headers=True,
            )
        except OSError as error:
            self._reader.close()
            raise InputError(
                "--host, --port",
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                "choose another, or --port 0 for any free one",
            ) from error
        self.port: int = self._server.effective_port
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        self.address = f"http://[{shown}]:{self.port}" if ":" in shown else f"http://{shown}:{self.port}"
        if behind_proxy:
            self.address = f"https://{behind_proxy}"

    def one_time_url(self) -> str:
        """A link that signs one browser in, once."""
        return self.address + self._access.one_time_path()

    def run(self) -> None:
        """Answer requests until the process is interrupted or :meth:`close` is called."""
        self._running.set()
        try:
            while not self._closing.is_set():
                wasyncore.loop(timeout=LOOP_S, map=self._sockets, count=1, use_poll=True)
        except KeyboardInterrupt:
            pass
        finally:
            self._shut()
            self._running.clear()

    def close(self) -> None:
        """Stop answering; from any thread, any number of times."""
        self._closing.set()
        if not self._running.is_set():
            self._shut()
        self._reader.close()

    def _shut(self) -> None:
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)

    def __enter__(self) -> DashboardServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _access(host: str, token: str | None, behind_proxy: str | None) -> Access:
    """The rules that go with an address, or the reason why it may not be bound."""
    if _is_loopback(host):
        return Access(token, hosts=[behind_proxy] if behind_proxy else [], secure=behind_proxy is not None)
    if token is None:
        raise InputError(
            "--host", f"{host} is reachable by others and no token is set", "add --token, or bind 127.0.0.1"
        )
    if not behind_proxy:
        raise InputError(
            "--host",
            f"{host} would send the token over the network in the clear",
            "put a TLS proxy in front and name it with --behind-proxy, or tunnel: ssh -L 8050:127.0.0.1:8050",
        )
    return Access(token, hosts=[behind_proxy, socket.gethostname()], any_address=True, secure=True)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
