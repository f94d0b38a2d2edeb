"""What each role may ask for: the one place where roles are enforced.

A spectator looks at the games and worlds there are, and watches them; an agent also plays; a developer may do
everything, also make worlds with settings, seed and clock of its choice. Pure functions.

Not here: how somebody comes by a role (``identity``), and whether a world that one may ask about tells everything
(``server/visibility.py``).
"""

from __future__ import annotations

from typing import Final

from server.gateway import refusals
from worldline import protocol

RANKS: Final[dict[protocol.Role, int]] = {"spectator": 0, "agent": 1, "developer": 2}

FOR_EVERYBODY: Final = (
    protocol.Hello,
    protocol.Ping,
    protocol.Games,
    protocol.Rules,
    protocol.Worlds,
    protocol.Leaderboard,
    protocol.Watch,
    protocol.Control,
    protocol.Log,
    protocol.State,
)
"""Requests that need no role but the least; all others need to be an agent's."""


def needed_role(request: protocol.Request) -> protocol.Role:
    """The least role that may send this request. Who chooses how a world begins, or when it ticks, develops."""
    if isinstance(request, protocol.Create) and (request.settings or request.seed is not None or request.clock):
        return "developer"
    return "spectator" if isinstance(request, FOR_EVERYBODY) else "agent"


def may(role: protocol.Role, needed: protocol.Role) -> bool:
    """Whether ``role`` may do what ``needed`` may."""
    return RANKS[role] >= RANKS[needed]


def check(request: protocol.Request, role: protocol.Role) -> None:
    """Raises `Refused` (`forbidden`) if the role may not send this request."""
    require(needed_role(request), role, str(request.__struct_config__.tag), request.id)


def require(needed: protocol.Role, role: protocol.Role, what: str, re: int) -> None:
    """Raises `Refused` (`forbidden`) if the role may not do ``what``."""
    if not may(role, needed):
        raise refusals.forbidden(what, role, needed, re)
