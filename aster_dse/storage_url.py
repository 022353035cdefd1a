"""What a database URL names: its file, or the server without the password."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["SECRET_OPTIONS", "parse_url", "sqlite_file", "typed_url"]

SECRET_OPTIONS = frozenset({"password", "sslpassword", "oauth_client_secret"})


def parse_url(text: str) -> URL:
    """A database URL in parts.

    The name of an SQLite file may hold percent signs: they are taken as they stand where they spell no text.

    Raises:
        ValueError, sqlalchemy.exc.ArgumentError: the text is no URL.
    """
    from sqlalchemy.engine import make_url

    url = make_url(text)
    if url.get_backend_name() != "sqlite" or not url.database or "%" not in text:
        return url
    raw = text.partition("://")[2].partition("?")[0].removeprefix("/")
    try:
        unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return url.set(database=raw)
    return url


def sqlite_file(text: str) -> Path | None:
    """The file that a URL names; None for a server, and for what is no URL."""
    from sqlalchemy.exc import ArgumentError

    try:
        url = parse_url(text)
    except (ArgumentError, ValueError):
        return None
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def typed_url(text: str, *, absolute: bool = False) -> str:
    """A URL as a command line can hold it: without its password, and so that it is read as the same again.

    Args:
        absolute: name an SQLite file by its whole path, for a shell that is in another folder.
    """
    url = parse_url(text)
    file = sqlite_file(text)
    if file is not None:
        if absolute:
            file = file.absolute()
        name = str(file).replace("%", "%25").replace("?", "%3F").replace("#", "%23")
        return f"sqlite:///{name}" + (f"?{text.partition('?')[2]}" if "?" in text else "")
    shown = url._replace(password=None).difference_update_query(SECRET_OPTIONS)
    return shown.render_as_string(hide_password=False)
