"""Who comes from which address: how many connections, and how many hellos that were refused.

An address is what the socket says; for a proxy on this machine, the last entry of ``X-Forwarded-For``, which is what
the proxy saw. IPv6 counts by its network of 64 bits, of which one household has the whole. Programs on this machine
that come without a proxy are not counted: there is nothing to protect from them that they could not have anyway.

Invariant: what is remembered of addresses without connections is bounded, and is forgotten. Times are the event loop's.
"""

from __future__ import annotations

import http
import ipaddress
import math
from collections import OrderedDict
from typing import Final, NamedTuple

from server.gateway.limits import GatewayLimits

CONNECTIONS_RETRY_S: Final = 5
"""When to come again if there are too many connections: they end on a scale of minutes, but some always do."""


class Turned(NamedTuple):
    """No connection for this visitor before ``retry_after_s``: ``why``."""

    why: str
    retry_after_s: int
    status: http.HTTPStatus = http.HTTPStatus.SERVICE_UNAVAILABLE


def address_of(peer: str | None, forwarded_for: str | None) -> str | None:
    """By what a visitor is counted; None: not at all. ``peer`` is the socket's other end."""
    try:
        address = ipaddress.ip_address((peer or "").partition("%")[0])
        if address.is_loopback:
            address = ipaddress.ip_address((forwarded_for or "").rpartition(",")[2].strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return None if address.ipv4_mapped.is_loopback else str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Visitors:
    """Connections and failed hellos, by address."""

    def __init__(self, limits: GatewayLimits) -> None:
        self._limits = limits
        self._connections: dict[str, int] = {}
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many since when; the oldest first

    def turned_away(self, address: str | None, connections: int, now_s: float) -> Turned | None:
        """Why a visitor may not connect now; None: it may. ``connections`` is how many there are in all."""
        limits = self._limits
        if connections > limits.max_connections:
            return Turned(
                f"This gateway has {limits.max_connections} connections, as many as it takes.", CONNECTIONS_RETRY_S
            )
        if address is None:
            return None
        if self._connections.get(address, 0) >= limits.max_connections_per_address:
            most = limits.max_connections_per_address
            return Turned(
                f"There are {most} connections from your address, as many as one may have.", CONNECTIONS_RETRY_S
            )
        self.forget(now_s)
        count, since_s = self._failed.get(address, (0, now_s))
        if count >= limits.failed_hellos:
            wait_s = max(1, math.ceil(since_s + limits.failed_hellos_s - now_s))
            return Turned(
                f"{count} hellos from your address were refused: check the token.",
                wait_s,
                http.HTTPStatus.TOO_MANY_REQUESTS,
            )
        return None

    def came(self, address: str | None) -> None:
        """A connection more."""
        if address is not None:
            self._connections[address] = self._connections.get(address, 0) + 1

    def went(self, address: str | None) -> None:
        """A connection less."""
        if address is not None:
            left = self._connections[address] - 1
            if left:
                self._connections[address] = left
            else:
                del self._connections[address]

    def failed(self, address: str | None, now_s: float) -> None:
        """A hello was refused."""
        if address is None:
            return
        self.forget(now_s)
        count, since_s = self._failed.get(address, (0, now_s))
        self._failed[address] = count + 1, since_s
        if len(self._failed) > self._limits.max_remembered:
            self._failed.popitem(last=False)

    def forget(self, now_s: float) -> None:
        """Forget failures that are long ago."""
        while self._failed and next(iter(self._failed.values()))[1] + self._limits.failed_hellos_s <= now_s:
            self._failed.popitem(last=False)

    @property
    def remembered(self) -> int:
        """How many addresses with failures are remembered."""
        return len(self._failed)
