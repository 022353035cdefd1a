"""Addresses of databases: what is accepted, and what of one may be shown.

A password often holds characters that end a part of a URL. What then passes for host, port or database is a
part of the password, and would be shown: an address that can be read in two ways is refused, unrepeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy import exc
from sqlalchemy.engine import URL

from aster_dse.errors import InputError
from aster_dse.storage_url import SECRET_OPTIONS, parse_url

__all__ = [
    "check_options",
    "parse_address",
    "secrets_in_words",
    "secrets_of",
    "shown_address",
    "split_secret_options",
    "sqlite_address",
]

_REMEDY = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
_ENCODED = f"{_REMEDY}; in a name or password write @ as %40, / as %2F, : as %3A, ? as %3F, a blank as %20"

_SQLITE_OPTIONS = frozenset({"timeout", "cached_statements", "detect_types", "check_same_thread"})
_HOST = re.compile(r"[\w.,:%~-]*")
_ADDRESS = re.compile(r"(--?[\w-]+=)?(postgres\w*(\+\w+)?://|[\w+]+://(?=.*@))(?P<rest>.*)", re.DOTALL)
"""On a command line, an option's name before it."""
_MAX_PORT = 65_535


def parse_address(url: str) -> URL:
    """``url`` with its driver made explicit.

    Raises:
        InputError: it is no address of a database that is supported, or can be read in two ways; the message
            does not repeat it.
    """
    try:
        parsed = parse_url(url)
    except (exc.ArgumentError, ValueError):
        raise InputError("storage", "the text is no database URL", _ENCODED) from None
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        _check_sqlite(parsed)
    elif parsed.drivername == "postgresql+psycopg":
        _check_postgresql(parsed, url)
    else:
        raise InputError("storage", f"{parsed.drivername} is not supported", _REMEDY)
    return parsed


def _check_sqlite(parsed: URL) -> None:
    if any((parsed.host, parsed.username, parsed.password, parsed.port)):
        raise InputError("storage", "SQLite has neither host nor user", "sqlite:///FILE, with three slashes")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise InputError("storage", "SQLite needs a file, which other processes can read", _REMEDY)
    if parsed.query.keys() - _SQLITE_OPTIONS:
        raise InputError(
            "storage", "an option behind ? that SQLite does not have", ", ".join(sorted(_SQLITE_OPTIONS))
        )


def _check_postgresql(parsed: URL, url: str) -> None:
    rest = url.partition("://")[2]
    before_query = rest.rpartition("@")[2].partition("?")[0]
    options = rest.rpartition("@")[2].partition("?")[2]
    if rest.count("@") > 1 or ("@" in rest and parsed.username is None):
        problem = "the database URL has an @ beside the one before the host"
    elif not _HOST.fullmatch(parsed.host or ""):
        problem = "the host of the database URL is no name of a host"
    elif before_query.partition("/")[0].endswith(":") or not 0 < (parsed.port or 1) <= _MAX_PORT:
        problem = "the port of the database URL is no port"
    elif not parsed.database and not {"dbname", "service"} & parsed.query.keys():
        problem = "the database URL names no database"
    elif options and not all(part.partition("=")[1] for part in options.split("&")):
        problem = "behind ? the database URL has what is no NAME=VALUE"
    else:
        return
    raise InputError("storage", problem, _ENCODED)


def sqlite_address(path: Path) -> str:
    """The address of a SQLite file."""
    return "sqlite:///" + re.sub("[%?#]", lambda found: quote(found[0]), str(path))


def shown_address(url: URL) -> str:
    """The address without its secrets."""
    return url.difference_update_query(SECRET_OPTIONS).render_as_string(hide_password=True)


def split_secret_options(url: URL) -> tuple[URL, dict[str, str | tuple[str, ...]]]:
    """The address without its secret options, and those."""
    secret = {key: value for key, value in url.query.items() if key in SECRET_OPTIONS}
    return url.difference_update_query(secret), secret


def secrets_of(url: URL) -> tuple[str, ...]:
    """What is put out of a driver's messages, in each form that it may have there."""
    plain = [url.password, *(url.query[key] for key in url.query if key in SECRET_OPTIONS)]
    words = [word for value in plain if value for word in ([value] if isinstance(value, str) else value)]
    # A short one may be a word of any message, from which *** in its place would tell it.
    long = [str(word) for word in words if len(word) >= 8]
    return tuple({form for word in long for form in (word, quote(word), quote_plus(word))})


def check_options(url: URL, known: Iterable[str]) -> None:
    """Refuse what the driver would name in its error: the end of a password may look like an option.

    Raises:
        InputError: there is one that is not ``known``; it is not repeated.
    """
    if url.query.keys() - set(known):
        raise InputError("storage", "an option behind ? that PostgreSQL does not have", _ENCODED)


def secrets_in_words(words: Iterable[str]) -> Iterator[str]:
    """Passwords in addresses that stand anywhere on a command line, as they are written there.

    A blank that was not quoted has the shell give the rest of a password as words of its own.
    """
    address, following = "", list[str]()
    for word in [*words, "-"]:
        if not word.startswith("-") and not _ADDRESS.match(word):
            following.append(word)
            continue
        yield from _secrets_written(address, following)
        found = _ADDRESS.match(word)
        address, following = found["rest"] if found else "", []


def _secrets_written(address: str, following: list[str]) -> Iterator[str]:
    """What no message repeats of an address, written after ``://``, and of the words that follow it."""
    before, at, _ = address.rpartition("@")
    _, colon, secret = (before if at else address).partition(":")
    if not at and secret.partition("/")[0].isdigit():
        secret = ""  # a port
    if secret:
        yield f"{colon}{secret}{at}"
    for option in SECRET_OPTIONS:
        yield from (f"{option}={found}" for found in address.split(f"{option}=")[1:] if found)
    ends = [place for place, word in enumerate(following, 1) if "@" in word]
    if ends:
        yield from following[: ends[-1]]
    elif secret and not at:
        yield from following
