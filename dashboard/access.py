"""Who may ask for what: the token, the session cookie, the names the server answers to, the headers it sends.

Every route passes here, those of Dash and the assets included; only the sign-in page is open.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterable
from functools import cache
from html import escape
from ipaddress import ip_address
from pathlib import Path
from string import Template
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, request

from aster_dse.errors import InputError

__all__ = ["Access", "content_security_policy", "install_headers"]

SIGN_IN = "/sign-in"
LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
MINIMUM_TOKEN = 16
"""Characters; a token of one's own is the only thing a guesser can try."""
LARGEST_BODY = 1 << 20
"""Bytes; the browser sends axis names and ids, never data."""
SAFE_METHODS = ("GET", "HEAD")


class Access:
    """The rules for one running dashboard.

    Args:
        token: the secret; None draws 256 random bits.
        hosts: names besides the loopback ones that a ``Host`` header may carry.
        any_address: also answer to a literal IP address. A page of another site cannot use one to reach this
            server under a name of its own (DNS rebinding needs a name).
        secure: the browser comes over TLS, so the cookie may travel over nothing else.
    """

    def __init__(
        self, token: str | None, *, hosts: Iterable[str] = (), any_address: bool = False, secure: bool = False
    ) -> None:
        if token is not None and len(token) < MINIMUM_TOKEN:
            raise InputError(
                "--token", f"{len(token)} characters are too few", f"give at least {MINIMUM_TOKEN}"
            )
        self._token = (token or secrets.token_urlsafe(32)).encode()
        self._hosts = frozenset(name.lower() for name in (*LOCAL_NAMES, *hosts))
        self._public = frozenset(name.lower() for name in hosts)
        self._any_address = any_address
        self._secure = secure
        self._tickets: set[str] = set()
        self._lock = threading.Lock()
        # Cookies are shared by all ports of a host: a name per token keeps two dashboards apart.
        self.cookie_name = "aster_dse_" + hashlib.sha256(b"name" + self._token).hexdigest()[:8]
        self._session = hmac.new(self._token, b"aster-dse dashboard session", hashlib.sha256).hexdigest()

    def one_time_path(self) -> str:
        """A path that signs one browser in and then no longer works."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._tickets.add(ticket)
        return f"{SIGN_IN}?{urlencode({'ticket': ticket})}"

    def install(self, server: Flask) -> None:
        """Guard every request of ``server``; call before anything else registers a hook or a route."""
        server.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
        server.before_request(self._check)
        server.add_url_rule(SIGN_IN, "sign_in", self._sign_in, methods=["GET", "POST"])

    def _check(self) -> Response | None:
        if not self._answers_to(request.host):
            return _plain("This dashboard does not answer to that host name.", 421)
        if request.method not in SAFE_METHODS and not self._same_origin():
            return _plain("The request came from another site.", 403)
        if (request.content_length or 0) > LARGEST_BODY:
            return _plain("The request is too large.", 413)
        if request.path == SIGN_IN or self._signed_in():
            return None
        if (
            request.headers.get("Sec-Fetch-Dest") == "document"
            or "text/html" in request.accept_mimetypes.values()
        ):
            return _sign_in_page(request.full_path.rstrip("?"), 401)
        return _plain("Sign in first.", 401)

    def _answers_to(self, host: str) -> bool:
        name = _host_name(host)
        if name in self._hosts:
            return True
        if not self._any_address:
            return False
        try:
            ip_address(name)
        except ValueError:
            return False
        return True

    def _same_origin(self) -> bool:
        """Whether the browser says that one of our own pages sent this; silence is not enough."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site not in (None, "same-origin"):
            return False
        if origin in (None, "null"):
            # A form's origin is withheld under ``Referrer-Policy: no-referrer``; no page can forge the other.
            return site is not None
        parts = urlsplit(origin)
        return parts.netloc.lower() == request.host.lower() or _host_name(parts.netloc) in self._public

    def _signed_in(self) -> bool:
        given = request.cookies.get(self.cookie_name, "")
        return hmac.compare_digest(given.encode(), self._session.encode())

    def _sign_in(self) -> Response:
        wanted = request.values.get("next", "/")
        if request.method == "POST":
            given = request.form.get("token", "")
            if not hmac.compare_digest(given.encode(), self._token):
                return _sign_in_page(wanted, 401, "That token is not the right one.")
            return self._welcome(wanted)
        ticket = request.args.get("ticket")
        if ticket is None:
            return _sign_in_page(wanted, 200)
        if not self._redeem(ticket):
            return _sign_in_page(wanted, 401, "This link has been used already.")
        return self._welcome(wanted)

    def _redeem(self, ticket: str) -> bool:
        with self._lock:
            for known in self._tickets:
                if hmac.compare_digest(known.encode(), ticket.encode()):
                    self._tickets.remove(known)
                    return True
        return False

    def _welcome(self, wanted: str) -> Response:
        # Not a redirect: one that began on another site would be followed without the SameSite=Strict cookie.
        target = escape(_local_path(wanted))
        response = _page(
            head=f'<meta http-equiv="refresh" content="0;url={target}">',
            body=f'<p>Signed in. <a href="{target}">Open the dashboard</a></p>',
        )
        response.set_cookie(
            self.cookie_name, self._session, httponly=True, samesite="Strict", secure=self._secure, path="/"
        )
        return response


def content_security_policy(script_hashes: Iterable[str]) -> str:
    """The policy for every page: nothing from elsewhere, no eval, no inline script but those hashed here.

    Inline *styles* are allowed: plotly and AG Grid size their elements with them.
    """
    scripts = " ".join(["'self'", *script_hashes])
    rules = {
        "default-src": "'none'",
        "script-src": scripts,
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def install_headers(server: Flask, policy: str) -> None:
    """Put the protective headers on every response, errors included."""

    def harden(response: Response) -> Response:
        headers = response.headers
        headers["Content-Security-Policy"] = policy
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        headers.setdefault("Cache-Control", "no-store")
        return response

    server.after_request(harden)


def _host_name(host: str) -> str:
    """The name in ``name:port`` or ``[v6]:port``, in lower case; empty where it is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _local_path(wanted: str) -> str:
    """``wanted`` if it is a path on this server, else the start page."""
    if not wanted.startswith("/") or wanted.startswith("//") or "\\" in wanted or not wanted.isprintable():
        return "/"
    return "/" if wanted.startswith(SIGN_IN) else wanted


def _plain(text: str, status: int) -> Response:
    return Response(text + "\n", status=status, mimetype="text/plain")


def _sign_in_page(wanted: str, status: int, problem: str = "") -> Response:
    notice = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    form = _template("sign_in_form.html").substitute(
        notice=notice, action=SIGN_IN, wanted=escape(_local_path(wanted))
    )
    return _page(head="", body=form, status=status)


def _page(*, head: str, body: str, status: int = 200) -> Response:
    """A page that needs no file from the server, for visitors who may not have any yet."""
    text = _template("sign_in.html").substitute(head=head, body=body)
    return Response(text, status=status, mimetype="text/html")


@cache
def _template(name: str) -> Template:
    return Template((Path(__file__).with_name("templates") / name).read_text(encoding="utf-8"))
