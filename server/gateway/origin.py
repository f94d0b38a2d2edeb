"""Which requests come from where they may: the Host that was asked for, and the page that a browser was on.

A page of anybody's may let the browser of a person on this machine connect to a local server. Two checks keep such
pages out. *Host*: a server that only this machine reaches answers only to names of this machine, and to those that its
operator allows; else a page could have its own name lead here (DNS rebinding). *Origin*: a browser says which page
wants to connect, and that page must be of the host that it connects to. Programs other than browsers send no Origin.

Pure functions over headers.
"""

from __future__ import annotations

import http
import ipaddress
import re
from collections.abc import Collection
from typing import Final, NamedTuple

from websockets.datastructures import Headers

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PLACE: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/?#@\s]+)(?::(\d{1,5}))?")


class Place(NamedTuple):
    """A host's name in lower case, or address without brackets, and its port if that was said."""

    name: str
    port: int | None


class Misdirected(Exception):
    """The request is refused with ``status``; the message says why and what to do."""

    def __init__(self, status: http.HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def check(headers: Headers, hosts: Collection[str] | None) -> None:
    """Raises Misdirected if the request is not for this server, or comes from another's page.

    ``hosts``: None serves any Host; else names of this machine and these, in lower case.
    """
    host = _host(headers)
    if hosts is not None and not (is_loopback(host.name) or host.name in hosts):
        raise Misdirected(
            http.HTTPStatus.MISDIRECTED_REQUEST,
            f"{_shown(host.name)} is no name of this server: use localhost, or start it with "
            "--allow-host and that name.\n",
        )
    origins = headers.get_all("Origin")
    if origins and not (len(origins) == 1 and _is_of(origins[0], host)):
        raise Misdirected(
            http.HTTPStatus.FORBIDDEN,
            f"A page of {_shown(origins[0])} may not connect to {_shown(host.name)}: only pages of this server may.\n",
        )


def is_loopback(name: str) -> bool:
    """Whether a host name or address always means the machine itself."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def place(text: str) -> Place | None:
    """Read ``name``, ``name:port``, ``[address]:port``; None for anything else."""
    match = _PLACE.fullmatch(text.strip().lower())
    if match is None:
        return None
    return Place(match[1].strip("[]").removesuffix("."), None if match[2] is None else int(match[2]))


def _host(headers: Headers) -> Place:
    values = headers.get_all("Host")
    host = place(values[0]) if len(values) == 1 else None
    if host is None:
        raise Misdirected(http.HTTPStatus.BAD_REQUEST, "A request has one Host header: the name that was asked for.\n")
    return host


def _is_of(origin: str, host: Place) -> bool:
    """Whether a page of ``origin`` is one of this host. (``null`` is the origin of pages that are nobody's.)"""
    scheme, separator, rest = origin.strip().lower().partition("://")
    page = place(rest)
    if not separator or page is None or scheme not in DEFAULT_PORTS:
        return False
    usual = DEFAULT_PORTS[scheme]
    return (page.name, page.port or usual) == (host.name, host.port or usual)


def _shown(text: str) -> str:
    """Other people's text in an answer: short and harmless."""
    clean = "".join(character for character in text if character.isprintable())
    return repr(clean if len(clean) <= 80 else clean[:79] + "…")
